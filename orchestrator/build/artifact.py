"""From a built tree to objects in the store: content-addressed files with a manifest, or a slug.

The manifest is written last: a release whose manifest exists is whole.
"""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import os
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import brotli
import orjson

from kernel import ids
from kernel.objects import ObjectStore
from orchestrator.build.slug import Slug, pack, slug_key
from orchestrator.build.static_files import StaticFile, StaticLimits, collect

UPLOADS: Final = 16
MAX_SLUG_BYTES: Final = 2 << 30
MAX_COMPRESSED_BYTES: Final = 16 << 20
NOT_FOUND_PAGE: Final = "/404.html"
_MIN_GAIN: Final = 0.95


Note = Callable[[str], Awaitable[object]]


def files_of(project_id: str) -> str:
    """Where the files of a project's sites lie, each under its digest."""
    return f"static/{project_id}/"


@dataclass(frozen=True, slots=True)
class _Blob:
    """Bytes for the store: in memory, or a large file on disk."""

    digest: str
    size: int
    body: bytes | Path


@dataclass(frozen=True, slots=True)
class Site:
    """A static site in the store: its manifest's key, its number of files, and how many of them were new there."""

    manifest: str
    files: int
    new: int


class Artifacts:
    """What releases are made of, in the object store.

    Args:
        store: where.
        scratch: a directory for packed slugs on their way up or down.
        limits: what a static site may have.
        note: is told what will be used, before it is looked for, and keeps others from deleting it; without it nobody
            deletes anything.
    """

    def __init__(
        self, store: ObjectStore, scratch: Path, limits: StaticLimits | None = None, note: Note | None = None
    ) -> None:
        self._store, self._scratch = store, scratch
        self._limits = limits or StaticLimits()
        self._note = note

    # --- static ---------------------------------------------------------------------------------------------------

    async def publish_static(
        self, project_id: str, release_id: str, root: Path, *, spa: bool = False, within: Path | None = None
    ) -> Site:
        """Uploads a static site, only what the store does not have yet, and its manifest.

        Args:
            project_id: its files are shared between its releases.
            release_id: whose manifest is written.
            root: the output directory.
            spa: paths that match no file are answered with /index.html.
            within: the source tree that `root` must lie in; without it, links on the way to `root` are not looked at.

        Raises:
            ShipoffError: OUTPUT_MISSING, ARTIFACT_REFUSED, ARTIFACT_TOO_LARGE, STORE_UNAVAILABLE.
        """
        files = await asyncio.to_thread(collect, root, within or root, self._limits)
        await self._use(files_of(project_id))
        slots = asyncio.Semaphore(UPLOADS)
        async with _first_failure(), asyncio.TaskGroup() as group:
            tasks = {file.path: group.create_task(self._publish(project_id, file, slots)) for file in files}
        entries = {path: task.result()[0] for path, task in tasks.items()}
        manifest = {
            "version": 1,
            "release": release_id,
            "project": project_id,
            "spa": spa and "/index.html" in entries,
            "files": entries,
            "not_found": NOT_FOUND_PAGE if NOT_FOUND_PAGE in entries else None,
        }
        key = f"releases/{release_id}/manifest.json"
        await self._store.put(key, orjson.dumps(manifest), "application/json")
        return Site(key, len(files), sum(task.result()[1] for task in tasks.values()))

    async def _publish(
        self, project_id: str, file: StaticFile, slots: asyncio.Semaphore
    ) -> tuple[dict[str, Any], bool]:
        """The file's entry in the manifest, and whether it was new to the store."""
        async with slots:
            plain, *packed = await asyncio.to_thread(_blobs, file)
            new = [
                await self._upload(f"{files_of(project_id)}{blob.digest}", blob, file.content_type)
                for _, blob in (plain, *packed)
            ]
        entry: dict[str, Any] = {
            "key": f"{files_of(project_id)}{plain[1].digest}",
            "digest": plain[1].digest,
            "size": plain[1].size,
            "type": file.content_type,
        }
        if packed:
            entry["encodings"] = {
                name: {"key": f"{files_of(project_id)}{blob.digest}", "size": blob.size} for name, blob in packed
            }
        return entry, any(new)

    async def _upload(self, key: str, blob: _Blob, content_type: str) -> bool:
        if await self._store.exists(key):
            return False
        await self._store.put(key, blob.body, content_type)
        return True

    async def _use(self, what: str) -> None:
        if self._note is not None:
            await self._note(what)

    # --- slugs ----------------------------------------------------------------------------------------------------

    async def publish_slug(self, tree: Path, *, epoch_s: int | None = None) -> str:
        """Packs and uploads a built app; returns its digest.

        Args:
            tree: the app's directory; its files get the time `epoch_s`.
            epoch_s: the commit's time; without it the present, and then the digest is new each time.

        Raises:
            ShipoffError: ARTIFACT_REFUSED, ARTIFACT_TOO_LARGE, STORE_UNAVAILABLE.
        """
        self._scratch.mkdir(parents=True, exist_ok=True)
        packed = self._scratch / f"{ids.new('bld')}.part"
        try:
            slug: Slug = await asyncio.to_thread(
                pack, tree, packed, epoch_s=int(time.time()) if epoch_s is None else epoch_s, max_bytes=MAX_SLUG_BYTES
            )
            if not await self.has_slug(slug.digest):
                await self._store.put(slug.key, packed, "application/zstd")
        finally:
            packed.unlink(missing_ok=True)
        return slug.digest

    async def has_slug(self, digest: str) -> bool:
        """Whether a slug is in the store; it stays there until a release can name it.

        Raises:
            ShipoffError: STORE_UNAVAILABLE.
        """
        await self._use(slug_key(digest))
        return await self._store.exists(slug_key(digest))

    async def fetch_slug(self, digest: str) -> Path:
        """Downloads a slug into the scratch directory. Whoever unpacks it deletes it.

        Raises:
            ShipoffError: OBJECT_NOT_FOUND, STORE_UNAVAILABLE.
        """
        self._scratch.mkdir(parents=True, exist_ok=True)
        part = self._scratch / f"{ids.new('bld')}.part"
        target = self._scratch / f"{digest}.tar.zst"
        try:
            with part.open("wb") as file:
                async for chunk in self._store.stream(slug_key(digest)):
                    await asyncio.to_thread(file.write, chunk)
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)
        return target


class _first_failure:  # noqa: N801 - reads as a statement
    """Raises the first failure of a task group by itself: callers wait for one error, not for a group of them."""

    async def __aenter__(self) -> None:
        return None

    async def __aexit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, BaseExceptionGroup):
            raise error.exceptions[0] from None


def _blobs(file: StaticFile) -> list[tuple[str, _Blob]]:
    """The file itself and, where that makes it smaller, its compressed forms, as (encoding, blob)."""
    descriptor = os.open(file.source, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as opened:
        if file.size > MAX_COMPRESSED_BYTES:
            digest = hashlib.file_digest(opened, "sha256").hexdigest()
            return [("", _Blob(digest, file.size, file.source))]
        data = opened.read(MAX_COMPRESSED_BYTES + 1)
    found = [("", _blob(data))]
    if file.compressible:
        found += [(name, _blob(packed)) for name, packed in _compressed(data) if len(packed) < len(data) * _MIN_GAIN]
    return found


def _blob(data: bytes) -> _Blob:
    return _Blob(hashlib.sha256(data).hexdigest(), len(data), data)


def _compressed(data: bytes) -> list[tuple[str, bytes]]:
    # Quality 9: 11 is a tenth smaller and ten times slower, and a push waits for it.
    return [("gzip", gzip.compress(data, 6, mtime=0)), ("br", brotli.compress(data, quality=9))]
