"""Which uid a server runs under: ours, or, since Postgres refuses root, one that is not.

Root enters a user namespace that shows it as an ordinary account; the files stay root's, so a state directory below
`/root` or a test's private folder works. Where user namespaces are forbidden, the server drops to that account for
good, which needs the account to reach the directory.
"""

from __future__ import annotations

import os
import pwd
import stat
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from kernel.errors import define
from stack.linux import drop_to, enter_user_namespace

UNREACHABLE = define(
    "UNREACHABLE", hint="choose a state directory below one that every account may enter, e.g. /var/lib"
)
_PREFERRED: Final = ("postgres", "daemon", "nobody")


@dataclass(frozen=True, slots=True)
class Identity:
    """How a child changes its identity, and whose files it needs.

    Attributes:
        enter: runs in the child before exec; None when nothing has to change.
        owner: uid and gid that its directories must belong to; None when ours do.
    """

    enter: Callable[[], None] | None = None
    owner: tuple[int, int] | None = None

    def own(self, *paths: Path) -> None:
        """Hands files and folders (with what is in them) to the identity, and checks that it can get there.

        Raises:
            ShipoffError: UNREACHABLE.
        """
        if self.owner is None:
            return
        for path in paths:
            _check_reachable(path)
            for one in [path, *path.rglob("*")]:
                os.chown(one, *self.owner, follow_symlinks=False)


@cache
def not_root() -> Identity:
    """The identity for programs that refuse root."""
    if os.geteuid() != 0:
        return Identity()
    account = _account()
    enter = enter_user_namespace(account.pw_uid, account.pw_gid)
    if _works(enter):
        return Identity(enter=enter)
    return Identity(enter=drop_to(account.pw_uid, account.pw_gid), owner=(account.pw_uid, account.pw_gid))


def _account() -> pwd.struct_passwd:
    accounts = {entry.pw_name: entry for entry in pwd.getpwall() if entry.pw_uid != 0}
    for name in _PREFERRED:
        if name in accounts:
            return accounts[name]
    return next(iter(accounts.values()))


def _works(enter: Callable[[], None]) -> bool:
    try:
        subprocess.run(["true"], preexec_fn=enter, check=True, timeout=5)
    except (OSError, subprocess.SubprocessError):
        return False
    return True


def _check_reachable(path: Path) -> None:
    for parent in path.parents:
        if not parent.stat().st_mode & stat.S_IXOTH:
            raise UNREACHABLE(f"root must not run Postgres, and other accounts cannot enter {parent}")
