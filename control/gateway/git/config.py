"""The configuration of every git process that the gateway starts: one file for all repositories, written at each start.

It is git's global configuration by way of HOME (which every version of git reads), so a setting that is hardened later
holds for old repositories too. There are two homes: people do not see the refs that only the platform fetches.
"""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Final

HOOK: Final = Path(__file__).with_name("hook.py")
DEPLOYMENTS: Final = "refs/deployments"  # commits that came by a push of the production branch
UPLOADS: Final = "refs/uploads"  # commits that came by `shipoff deploy`; the branch does not follow these
DEPLOY: Final = "refs/deploy"  # pushing refs/deploy/production deploys without moving the branch; never stored

# Faults of old git versions that real histories contain and that harm nobody; everything else fsck finds is refused.
_TOLERATED: Final = ("zeroPaddedFilemode", "badTimezone", "missingSpaceBeforeDate", "badFilemode")

_CONFIG: Final = """\
[core]
\thooksPath = {hooks}
\tlogAllRefUpdates = true
[gc]
\tauto = 0
[maintenance]
\tauto = false
[receive]
\tprocReceiveRefs = refs/heads
\tprocReceiveRefs = {deploy}
\tmaxInputSize = {push_bytes}
\tfsckObjects = true
\tautogc = false
\tadvertisePushOptions = false
\tkeepAlive = 5
\thideRefs = {deployments}
\thideRefs = {uploads}
{tolerated}
[transfer]
\tfsckObjects = true
[http]
\treceivepack = {receivepack}
[uploadpack]
{hidden}
[safe]
\tdirectory = *
"""


class GitConfig:
    """Writes configuration and hooks into a folder.

    Args:
        folder: the gateway's own, mode 0700.
        push_bytes: receive.maxInputSize.
    """

    def __init__(self, folder: Path, push_bytes: int) -> None:
        self._folder, self._push_bytes = folder, push_bytes

    def write(self) -> None:
        """Writes both homes and the hook; replaces what an earlier start wrote."""
        hooks = self._folder / "hooks"
        hooks.mkdir(parents=True, exist_ok=True)
        hook = hooks / "proc-receive"
        hook.write_text(f"#!/bin/sh\nexec {shlex.quote(sys.executable)} -I -S {shlex.quote(str(HOOK))}\n")
        hook.chmod(0o700)
        for trusted in (False, True):
            home = self.home(trusted=trusted)
            home.mkdir(exist_ok=True)
            (home / ".gitconfig").write_text(self._text(hooks, trusted=trusted))

    def home(self, *, trusted: bool) -> Path:
        """The HOME of a git process."""
        return self._folder / ("home-platform" if trusted else "home-people")

    def _text(self, hooks: Path, *, trusted: bool) -> str:
        hidden = [] if trusted else [DEPLOYMENTS, UPLOADS]
        return _CONFIG.format(
            hooks=_quoted(str(hooks)),
            deploy=DEPLOY,
            push_bytes=self._push_bytes,
            deployments=DEPLOYMENTS,
            uploads=UPLOADS,
            tolerated='[receive "fsck"]\n' + "".join(f"\t{name} = ignore\n" for name in _TOLERATED),
            receivepack="false" if trusted else "true",
            hidden="".join(f"\thideRefs = {ref}\n" for ref in hidden),
        )


def _quoted(text: str) -> str:
    """A value of git-config(1), in which quotes and backslashes are escaped."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
