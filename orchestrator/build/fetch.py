"""Brings one commit of a project's repository into a directory, by git over HTTP from the gateway.

What is fetched is a stranger's: no hooks, filters, submodules or other protocols than HTTP, objects are checked, and
sizes are looked at before anything is checked out. The token goes to git by its environment, never by its arguments.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
import re
import resource
import shutil
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote

from kernel.errors import ShipoffError, define

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

SERVICE_USER: Final = "shipoff-service"  # the user name by which the gateway knows the platform's own services
_COMMIT: Final = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_REF: Final = re.compile(r"refs/[\w./-]{1,200}", re.ASCII)
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
class Source:
    """A commit in a directory: its id, its committer's time in unix seconds, its size and its number of files."""

    commit: str
    epoch_s: int
    bytes: int
    files: int


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


class Sources:
    """The repositories that a gateway serves.

    Args:
        gateway_url: repositories are at `<gateway_url>/git/<project>.git`.
        token: the token that the platform's services show each other.
        limits: what a repository may weigh.
    """

    def __init__(self, gateway_url: str, token: str, limits: SourceLimits | None = None) -> None:
        self._gateway, self._token = gateway_url.rstrip("/"), token
        self._limits = limits or SourceLimits()

    async def fetch(self, project: str, ref: str, commit: str, into: Path) -> Source:
        """Fetches a commit; the directory then holds its files and no repository.

        Args:
            project: name.
            ref: where the commit can be fetched, e.g. `refs/deployments/dep_…`; "" asks for the commit itself.
            commit: full object id; what the ref has must be exactly this.
            into: must not exist; after a failure it does not exist either.

        Raises:
            ShipoffError: SOURCE_MISSING, SOURCE_TOO_LARGE, SOURCE_UNAVAILABLE.
        """
        url = f"{self._gateway}/git/{quote(project, safe='')}.git"
        basic = base64.b64encode(f"{SERVICE_USER}:{self._token}".encode()).decode()
        return await fetch(url, ref, commit, into, f"Basic {basic}", self._limits)


async def fetch(url: str, ref: str, commit: str, into: Path, authorization: str, limits: SourceLimits) -> Source:
    """Fetches a commit from any HTTP remote; see `Sources.fetch`. `authorization` is that header's value, or ""."""
    if not _COMMIT.fullmatch(commit) or (ref and not (_REF.fullmatch(ref) and ".." not in ref)):
        raise SOURCE_MISSING(f"{ref or commit} is not a ref and commit that can be fetched")
    await asyncio.to_thread(into.mkdir, parents=True)
    git = _Git(into, authorization, limits)
    try:
        async with asyncio.timeout(limits.deadline_s):
            source = await _checkout(git, url, ref, commit, limits)
    except TimeoutError as error:
        await asyncio.to_thread(shutil.rmtree, into, ignore_errors=True)
        raise SOURCE_UNAVAILABLE(f"fetching the source took more than {limits.deadline_s:.0f} s") from error
    except (ShipoffError, asyncio.CancelledError):
        await asyncio.shield(asyncio.to_thread(shutil.rmtree, into, ignore_errors=True))
        raise
    await asyncio.to_thread(shutil.rmtree, into / ".git")
    return source


async def _checkout(git: _Git, url: str, ref: str, commit: str, limits: SourceLimits) -> Source:
    await git.run("init", "-q")
    await git.run("fetch", "-q", "--depth=1", "--no-tags", "--no-write-fetch-head", url, f"+{ref or commit}:refs/x/it")
    await _same(git, commit, ref)
    source = await _measure(git, commit, limits)
    await git.run("checkout", "-q", "--detach", commit)
    return source


async def _same(git: _Git, commit: str, ref: str) -> None:
    found = (await git.run("rev-parse", "--verify", "-q", "refs/x/it^{commit}")).strip()
    if found != commit:
        raise SOURCE_MISSING(f"{ref} is {found[:12]} by now, not {commit[:12]}")


async def _measure(git: _Git, commit: str, limits: SourceLimits) -> Source:
    """The commit's time, size and number of files, before any of it is written."""
    epoch = int(await git.run("show", "-s", "--format=%ct", commit))
    total = count = 0
    for line in (await git.run("ls-tree", "-r", "-l", "-z", "--full-tree", commit)).split("\0"):
        fields = line.split("\t", 1)[0].split()
        if len(fields) == 4:
            count += 1
            total += int(fields[3]) if fields[3].isdigit() else 0
    if total > limits.tree_bytes or count > limits.files:
        raise SOURCE_TOO_LARGE(
            f"the commit has {count} files with {total >> 20} MiB; "
            f"allowed are {limits.files} with {limits.tree_bytes >> 20} MiB"
        )
    return Source(commit, epoch, total, count)


class _Git:
    """Runs git in one directory with a hardened configuration and nothing of this process's environment."""

    def __init__(self, directory: Path, authorization: str, limits: SourceLimits) -> None:
        self._directory, self._limits = directory, limits
        config = _HARDENED | ({"http.extraHeader": f"Authorization: {authorization}"} if authorization else {})
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
            "git", *arguments, cwd=self._directory, env=self._env, start_new_session=True,
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
