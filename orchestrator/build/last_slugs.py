"""Which slug an environment had last, and what is in it: a build that gives the same again needs no new one.

A slug's files have the time of the commit that it was made of, because frameworks tell clients by it whether something
changed. So a tree whose content has not changed since the last build keeps that slug and its time; one that goes back
to an older content gets a new slug, because a client that has seen something in between must not be told that nothing
is newer.
"""

from __future__ import annotations

from typing import Final

from kernel.database import Database, load_queries

SQL: Final = load_queries("orchestrator.build")


class LastSlugs:
    """The last slug of every environment."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, project_id: str, environment: str, content: str) -> str:
        """The digest of the last slug when it has this content, else "".

        Raises:
            ShipoffError: the database is away.
        """
        return str(await self._database.fetchval(SQL["last_slug"], project_id, environment, content) or "")

    async def remember(self, project_id: str, environment: str, content: str, slug: str) -> None:
        """Writes it down.

        Raises:
            ShipoffError: the database is away.
        """
        await self._database.execute(SQL["set_last_slug"], project_id, environment, content, slug)
