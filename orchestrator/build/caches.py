"""Build caches in the object store: what a project's builds downloaded, for its next build on whatever machine.

A cache belongs to one project and is never shown to another. What is stored has its digest in the database, so a cache
that was damaged or replaced in the store is not used. A preview reads production's caches and writes its own only:
who may propose a change must not get into what production installs.
"""

from __future__ import annotations

import asyncio
import datetime
import logging
from pathlib import Path
from typing import Final

from kernel import ids
from kernel.database import Database, load_queries
from kernel.errors import ShipoffError
from kernel.objects import ObjectStore
from orchestrator.drivers.base import PackedCache

SQL: Final = load_queries("orchestrator.build")
KEPT: Final = 3  # of a project and scope; lock files change seldom, and go back seldom
UNUSED: Final = datetime.timedelta(days=14)
log = logging.getLogger(__name__)


class Caches:
    """All projects' caches.

    Args:
        database: says what there is.
        store: has it.
        scratch: a directory for caches on their way.
    """

    def __init__(self, database: Database, store: ObjectStore, scratch: Path) -> None:
        self._database, self._store, self._scratch = database, store, scratch

    def of(self, project_id: str, environment: str, key: str) -> ProjectCache:
        """The cache of one build.

        Args:
            project_id: whose.
            environment: production, or a preview's.
            key: of `cache_key`; "" for a build that downloads nothing worth keeping.
        """
        scope = "production" if environment == "production" else "preview"
        full = f"{scope}-{key}" if key else ""
        return ProjectCache(self._database, self._store, self._scratch, project_id, scope, full)


class ProjectCache:
    """One build's view of its project's caches; implements `BuildCache`."""

    def __init__(
        self, database: Database, store: ObjectStore, scratch: Path, project_id: str, scope: str, key: str
    ) -> None:
        self._database, self._store, self._scratch = database, store, scratch
        self._project, self.scope, self.key = project_id, scope, key

    async def load(self) -> PackedCache | None:
        """Downloads the cache of this key, else the newest that there is.

        Raises:
            ShipoffError: the database or the store is away, or the object is lost.
        """
        if not self.key:
            return None
        row = await self._database.fetchrow(SQL["find_cache"], self._project, self.scope, self.key)
        if row is None:
            return None
        self._scratch.mkdir(parents=True, exist_ok=True)
        path = self._scratch / f"{ids.new('bld')}.cache"
        try:
            await self._download(row["key"], path)
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        return PackedCache(path, row["digest"], row["key"])

    async def wanted(self) -> bool:
        """Whether there is none of this key yet.

        Raises:
            ShipoffError: the database is away.
        """
        return bool(self.key) and not await self._database.fetchval(SQL["has_cache"], self._project, self.key)

    async def store(self, packed: PackedCache) -> None:
        """Uploads a cache under this key and lets older ones go.

        Raises:
            ShipoffError: the database or the store is away.
        """
        size = packed.path.stat().st_size
        await self._store.put(_object(self._project, self.key), packed.path, "application/zstd")
        await self._database.execute(SQL["put_cache"], self._project, self.scope, self.key, packed.digest, size)
        for row in await self._database.fetch(SQL["drop_old_caches"], self._project, KEPT, UNUSED):
            await self._store.delete(_object(row["project_id"], row["key"]))

    async def drop(self, key: str) -> None:
        """Forgets a cache that was loaded and is damaged."""
        await self._database.execute(SQL["drop_cache"], self._project, key)

    async def _download(self, key: str, path: Path) -> None:
        with path.open("wb") as file:
            try:
                async for chunk in self._store.stream(_object(self._project, key)):
                    await asyncio.to_thread(file.write, chunk)
            except ShipoffError as error:
                if error.status == 404:  # the store lost it: the next build makes it anew
                    await self._database.execute(SQL["drop_cache"], self._project, key)
                raise


def _object(project_id: str, key: str) -> str:
    return f"caches/{project_id}/{key}.tar.zst"
