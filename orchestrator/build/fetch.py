"""Brings one commit of a project's repository into a directory, by git over HTTP from the gateway.

Sizes are looked at before anything is checked out. Submodules are named, not fetched (submodules.py), and files that
Git LFS keeps elsewhere are found, because a build would take their pointers for what they point to.
"""

from __future__ import annotations

import asyncio
import base64
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote, urljoin

from kernel.errors import ShipoffError
from orchestrator.build.git import SOURCE_MISSING, SOURCE_TOO_LARGE, SOURCE_UNAVAILABLE, Git, SourceLimits

SERVICE_USER: Final = "shipoff-service"  # the user name by which the gateway knows the platform's own services
_COMMIT: Final = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_REF: Final = re.compile(r"refs/(?!.*(?:\.\.|@\{))[^\x00-\x20\x7f~^:?*\[\\]{1,250}")  # git-check-ref-format(1)
_FETCH: Final = ("fetch", "-q", "--no-tags", "--no-write-fetch-head")
_LFS: Final = b"version https://git-lfs.github.com/spec/"
_LFS_BYTES: Final = range(100, 1024)  # a pointer's size, by its specification
_LFS_LOOKED_AT: Final = 2000


@dataclass(frozen=True, slots=True)
class Submodule:
    """A repository inside another: where it belongs in the tree, its absolute address, its commit."""

    path: str
    url: str
    commit: str


@dataclass(frozen=True, slots=True)
class Source:
    """A commit in a directory.

    Attributes:
        epoch_s: its committer's time, unix seconds.
        bytes, files: of the commit's tree.
        submodules: what it wants beside it, in the order of their paths.
        lfs_pointers: files whose contents are elsewhere.
    """

    commit: str
    epoch_s: int
    bytes: int
    files: int
    submodules: tuple[Submodule, ...] = ()
    lfs_pointers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Entry:
    """One line of `git ls-tree`: blobs have a size, commits of submodules have not."""

    kind: str
    object_id: str
    size: int
    path: str


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

    def url_of(self, project: str) -> str:
        """Where a project's repository is."""
        return f"{self._gateway}/git/{quote(project, safe='')}.git"

    def project_at(self, url: str) -> str:
        """The project whose repository an address names, "" for addresses elsewhere."""
        match = re.fullmatch(re.escape(f"{self._gateway}/git/") + r"([a-z0-9-]{1,60})(\.git)?/?", url)
        return match[1] if match else ""

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
        basic = base64.b64encode(f"{SERVICE_USER}:{self._token}".encode()).decode()
        return await fetch(self.url_of(project), ref, commit, into, f"Basic {basic}", self._limits)


async def fetch(
    url: str,
    ref: str,
    commit: str,
    into: Path,
    authorization: str,
    limits: SourceLimits,
    config: Mapping[str, str] | None = None,
    *,
    by_id: bool = False,
) -> Source:
    """Fetches a commit from any HTTP remote; see `Sources.fetch`.

    Args:
        authorization: that header's value, or "".
        config: of git, beside its hardened one.
        by_id: asks for the commit itself first, and for the ref only where the remote gives none by id.
    """
    if not _COMMIT.fullmatch(commit) or (ref and not _REF.fullmatch(ref)):
        raise SOURCE_MISSING(f"{ref or commit} is not a ref and commit that can be fetched")
    await asyncio.to_thread(into.mkdir, parents=True)
    git = Git(into, authorization, limits, config)
    try:
        async with asyncio.timeout(limits.deadline_s):
            source = await _checkout(git, url, ref, commit, limits, by_id=by_id)
    except TimeoutError as error:
        await asyncio.to_thread(shutil.rmtree, into, ignore_errors=True)
        raise SOURCE_UNAVAILABLE(f"fetching the source took more than {limits.deadline_s:.0f} s") from error
    except (ShipoffError, asyncio.CancelledError):
        await asyncio.shield(asyncio.to_thread(shutil.rmtree, into, ignore_errors=True))
        raise
    await asyncio.to_thread(shutil.rmtree, into / ".git")
    return source


async def _checkout(git: Git, url: str, ref: str, commit: str, limits: SourceLimits, *, by_id: bool) -> Source:
    await git.run("init", "-q")
    if by_id:
        await _by_id(git, url, ref, commit)
    else:
        await git.run(*_FETCH, "--depth=1", url, f"+{ref or commit}:refs/x/it")
        await _same(git, commit, ref)
    epoch = int(await git.run("show", "-s", "--format=%ct", commit))
    entries = await _measure(git, commit, limits)
    submodules = await _submodules(git, url, commit, entries)
    await git.run("checkout", "-q", "--detach", commit)
    pointers = await asyncio.to_thread(_lfs_pointers, git.directory, entries)
    return Source(commit, epoch, sum(entry.size for entry in entries), len(entries), submodules, pointers)


async def _by_id(git: Git, url: str, ref: str, commit: str) -> None:
    """The commit itself, wherever its branch is by now; else all that the ref has, which may have gone on."""
    try:
        await git.run(*_FETCH, "--depth=1", url, f"+{commit}:refs/x/it")
    except ShipoffError as error:
        if error.code != SOURCE_MISSING.code or not ref:
            raise
        await git.run(*_FETCH, url, f"+{ref}:refs/x/it")
        try:
            await git.run("cat-file", "-e", f"{commit}^{{commit}}")
        except ShipoffError:
            raise SOURCE_MISSING(f"{ref} does not have {commit[:12]} any more") from error


async def _same(git: Git, commit: str, ref: str) -> None:
    found = (await git.run("rev-parse", "--verify", "-q", "refs/x/it^{commit}")).strip()
    if found != commit:
        raise SOURCE_MISSING(f"{ref} is {found[:12]} by now, not {commit[:12]}")


async def _measure(git: Git, commit: str, limits: SourceLimits) -> list[_Entry]:
    """What is in the commit, before any of it is written."""
    listed = await git.run("ls-tree", "-r", "-l", "-z", "--full-tree", commit)
    entries = [_entry(line) for line in listed.split("\0") if line]
    total = sum(entry.size for entry in entries)
    if total > limits.tree_bytes or len(entries) > limits.files:
        raise SOURCE_TOO_LARGE(
            f"the commit has {len(entries)} files with {total >> 20} MiB; "
            f"allowed are {limits.files} with {limits.tree_bytes >> 20} MiB"
        )
    return entries


def _entry(line: str) -> _Entry:
    head, _, path = line.partition("\t")
    _, kind, object_id, size = head.split()
    return _Entry(kind, object_id, int(size) if size.isdigit() else 0, path)


async def _submodules(git: Git, url: str, commit: str, entries: list[_Entry]) -> tuple[Submodule, ...]:
    links = {entry.path: entry.object_id for entry in entries if entry.kind == "commit"}
    if not links:
        return ()
    told = ""
    if any(entry.path == ".gitmodules" for entry in entries):
        told = await git.run("config", "--blob", f"{commit}:.gitmodules", "-z", "--get-regexp", r"\.(path|url)$")
    named: dict[str, dict[str, str]] = {}
    for item in filter(None, told.split("\0")):
        key, _, value = item.partition("\n")
        name, _, field = key.removeprefix("submodule.").rpartition(".")
        named.setdefault(name, {})[field] = value
    urls = {one["path"]: one["url"] for one in named.values() if {"path", "url"} <= one.keys()}
    if missing := sorted(links.keys() - urls.keys()):
        raise SOURCE_MISSING(
            f".gitmodules does not say where {missing[0]} comes from", hint="git rm it, or add its url"
        )
    # A relative address is meant from this repository's own (gitmodules(5)).
    return tuple(Submodule(path, urljoin(f"{url}/", urls[path]), links[path]) for path in sorted(links))


def _lfs_pointers(tree: Path, entries: list[_Entry]) -> tuple[str, ...]:
    """Files that are pointers of Git LFS; looked for only where a `.gitattributes` speaks of it."""
    rules = [entry.path for entry in entries if entry.path.rpartition("/")[2] == ".gitattributes"]
    if not any(b"filter=lfs" in _beginning(tree / path, 1 << 16) for path in rules):
        return ()
    suspects = [entry.path for entry in entries if entry.kind == "blob" and entry.size in _LFS_BYTES]
    return tuple(path for path in suspects[:_LFS_LOOKED_AT] if _beginning(tree / path, len(_LFS)) == _LFS)


def _beginning(path: Path, count: int) -> bytes:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:  # a link, or a name that this file system has not kept
        return b""
    with os.fdopen(descriptor, "rb") as file:
        return file.read(count)
