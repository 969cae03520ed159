"""Deletes what releases were made of when no kept one needs it: slugs, manifests, and files of static sites.

A build that finds an object in the store does not store it again, and the release that needs it is written later. So a
build notes the use before it looks (build/artifact.py), and here nothing is deleted that was noted less than `unused_s`
ago. Both happen under the lock of one row, so a build looks either before or after a deletion, never in the middle.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import orjson

from kernel.database import Database, load_queries
from kernel.database.pool import Row, Transaction
from kernel.errors import ShipoffError
from kernel.objects import MOST_DELETED, OBJECT_NOT_FOUND, ObjectStore
from orchestrator.build.artifact import files_of
from orchestrator.build.slug import slug_key

SQL: Final = load_queries("orchestrator")


class Discarding:
    """Deletes artifacts.

    Args:
        unused_s: longer than it takes from a build's look at the store to its release.
    """

    def __init__(self, database: Database, store: ObjectStore, unused_s: float) -> None:
        self._database, self._store, self._unused_s = database, store, unused_s

    async def discard(self, row: Row) -> None:
        """Deletes an artifact, unless a build may be about to need it; then a later call does.

        Args:
            row: {"kind", "project_id", "artifact"} of releases that are no longer kept.

        Raises:
            ShipoffError: the database or the object store is away.
        """
        artifact: str = row["artifact"]
        if row["kind"] == "static":
            await self._discard_site(row["project_id"], artifact)
        else:
            await self._discard_last(slug_key(artifact), slug_key(artifact), artifact)

    async def _discard_site(self, project_id: str, manifest: str) -> None:
        place, own = files_of(project_id), await self._own_files(project_id, manifest)
        for at in range(0, len(own), MOST_DELETED):
            async with self._unused(place) as tx:
                if tx is None:
                    return
                await self._store.delete_many(own[at : at + MOST_DELETED])
        await self._discard_last(place, manifest, manifest)

    async def _discard_last(self, use: str, key: str, artifact: str) -> None:
        async with self._unused(use) as tx:
            if tx is not None and not await tx.fetchval(SQL["is_needed"], artifact):
                await self._store.delete(key)
                await tx.execute(SQL["note_deleted"], artifact)

    async def _own_files(self, project_id: str, manifest: str) -> list[str]:
        """The files that only releases have which are no longer kept."""
        own = await self._files(manifest)
        for row in await self._database.fetch(SQL["kept_sites"], project_id) if own else ():
            own -= await self._files(row["artifact"])
        return sorted(own)

    async def _files(self, manifest: str) -> set[str]:
        try:
            raw = await self._store.get(manifest)
        except ShipoffError as error:
            if error.code == OBJECT_NOT_FOUND.code:
                return set()
            raise
        return await asyncio.to_thread(_keys, raw)

    @asynccontextmanager
    async def _unused(self, use: str) -> AsyncIterator[Transaction | None]:
        """A transaction in which no build can begin to use something; None when one may have begun."""
        async with self._database.transaction() as tx:
            await tx.execute(SQL["begin_use"], use)
            free = await tx.fetchval(SQL["lock_use"], use, self._unused_s)
            yield tx if free else None


def _keys(manifest: bytes) -> set[str]:
    """All objects that a manifest names."""
    entries: list[dict[str, Any]] = list(orjson.loads(manifest)["files"].values())
    packed = [one for entry in entries for one in (entry.get("encodings") or {}).values()]
    return {str(one["key"]) for one in (*entries, *packed)}
