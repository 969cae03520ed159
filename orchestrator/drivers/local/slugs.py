"""Slugs unpacked on this machine: once per digest and uid, shared by all instances, never written to."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path

from kernel import ids
from orchestrator.build.slug import unpack


class SlugCache:
    """A directory of unpacked slugs. Entries appear by a rename, so one that exists is whole.

    Args:
        root: on the same file system as the trees that `seed` gets.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._locks: dict[Path, asyncio.Lock] = {}

    def path_of(self, digest: str, uid: int | None) -> Path:
        """Where a slug is, or would be, unpacked."""
        return self._root / (digest if uid is None else f"{digest}.{uid}")

    async def get(self, digest: str, uid: int | None, fetch: Callable[[], Awaitable[Path]]) -> Path:
        """The unpacked slug; fetches and unpacks it when it is not there.

        Raises:
            ShipoffError: SLUG_DAMAGED, ARTIFACT_REFUSED, and what `fetch` raises.
        """
        path = self.path_of(digest, uid)
        async with self._locks.setdefault(path, asyncio.Lock()):
            if not path.is_dir():
                packed = await fetch()
                temporary = self._root / f"new-{ids.new('bld')}"
                try:
                    await asyncio.to_thread(unpack, packed, temporary, digest, owner=uid)
                    temporary.rename(path)
                    packed.unlink(missing_ok=True)  # unpacked it serves; the store has it
                finally:
                    await asyncio.to_thread(shutil.rmtree, temporary, ignore_errors=True)
            os.utime(path)  # used now: prune goes by it
        return path

    def seed(self, digest: str, uid: int | None, tree: Path) -> None:
        """Takes over a tree that was just packed, which saves unpacking it; the tree's directory moves away."""
        path = self.path_of(digest, uid)
        if not path.exists():
            with contextlib.suppress(OSError):  # another file system, or another process was faster: it gets unpacked
                tree.rename(path)

    def prune(self, keep: set[str], in_use: set[Path]) -> list[Path]:
        """Deletes slugs whose digest is not kept and that no instance runs on; returns what went."""
        gone = []
        for path in self._root.iterdir():
            if path.name.split(".")[0] not in keep and path not in in_use and not path.name.startswith("new-"):
                shutil.rmtree(path, ignore_errors=True)
                gone.append(path)
        return gone
