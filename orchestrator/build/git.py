"""Runs git in one directory on a stranger's repository: no hooks, filters, submodules or other protocols than HTTP.

Objects are checked, and what a fetch may write is bounded. The token goes to git by its environment, never by its
arguments.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from kernel.errors import define

SOURCE_UNAVAILABLE = define("SOURCE_UNAVAILABLE", status=503, retryable=True, hint="try again in a moment")
SOURCE_MISSING = define(
    "SOURCE_MISSING",
    source="client",
    status=422,
    hint="push the commit again; it may have been replaced by a newer push",
)
SOURCE_TOO_LARGE = define(
    "SOURCE_TOO_LARGE", source="client", status=413, hint="keep large files, dependencies and build output out of git"
)

_HARDENED: Final = {
    "core.hooksPath": os.devnull,
    "core.fsmonitor": "false",
    "core.protectHFS": "true",
    "core.protectNTFS": "true",
    "core.attributesFile": os.devnull,
    "protocol.allow": "never",
    "protocol.http.allow": "always",
    "protocol.https.allow": "always",
    "transfer.fsckObjects": "true",
    "submodule.recurse": "false",
    "credential.helper": "",
    "http.followRedirects": "false",
    "http.lowSpeedLimit": "1000",
    "http.lowSpeedTime": "20",
    "gc.auto": "0",
    "maintenance.auto": "false",
    "advice.detachedHead": "false",
    "init.defaultBranch": "main",
}
_GONE: Final = ("couldn't find remote ref", "not our ref", "no such ref", "bad object", "unadvertised object")


@dataclass(frozen=True, slots=True)
class SourceLimits:
    """What a repository may weigh.

    Attributes:
        pack_bytes: what comes over the wire.
        tree_bytes: of all files of the commit; small packs can hold huge trees.
        files: in the commit.
        deadline_s: wall clock of the whole fetch.
    """

    pack_bytes: int = 512 << 20
    tree_bytes: int = 1 << 30
    files: int = 100_000
    deadline_s: float = 120.0


class Git:
    """Runs git in one directory with a hardened configuration and nothing of this process's environment."""

    def __init__(
        self, directory: Path, authorization: str, limits: SourceLimits, config: Mapping[str, str] | None = None
    ) -> None:
        self.directory, self._limits = directory, limits
        config = (
            _HARDENED
            | dict(config or {})
            | ({"http.extraHeader": f"Authorization: {authorization}"} if authorization else {})
        )
        self._env = {
            "PATH": os.defpath,
            "HOME": os.devnull,
            "LC_ALL": "C",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_ASKPASS": "true",
            "GIT_LFS_SKIP_SMUDGE": "1",
            "GIT_ALLOW_PROTOCOL": "http:https",
            "GIT_CEILING_DIRECTORIES": str(directory.parent),
            "GIT_CONFIG_COUNT": str(len(config)),
        }
        for index, (key, value) in enumerate(config.items()):
            self._env |= {f"GIT_CONFIG_KEY_{index}": key, f"GIT_CONFIG_VALUE_{index}": value}

    async def run(self, *arguments: str) -> str:
        """Runs one git command; returns what it printed."""
        process = await asyncio.create_subprocess_exec(
            "git", *arguments, cwd=self.directory, env=self._env, start_new_session=True,
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        with contextlib.suppress(ProcessLookupError, PermissionError):
            limit = self._limits.pack_bytes
            resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (limit, limit))
        try:
            out, err = await process.communicate()
        finally:
            if process.returncode is None:  # canceled, or out of time: git's helpers share its session
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                await asyncio.shield(process.wait())
        if process.returncode:
            self._fail(arguments[0], err.decode(errors="replace"))
        return out.decode(errors="replace")

    def _fail(self, command: str, said: str) -> None:
        text = " ".join(said.split())[-400:]
        if "File size limit" in said or "file too large" in said.lower() or "SIGXFSZ" in said or "signal 25" in said:
            raise SOURCE_TOO_LARGE(f"the repository has more than {self._limits.pack_bytes >> 20} MiB")
        if any(sign in said for sign in _GONE):
            raise SOURCE_MISSING(f"the commit is not there: {text}")
        raise SOURCE_UNAVAILABLE(f"git {command} failed: {text}")
