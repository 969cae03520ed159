"""Whose a project is, for services that keep something of it and not itself: their callers are judged too."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from kernel.authority import principal
from kernel.authority.border import PERMISSION_DENIED, require
from kernel.authority.permissions import Permission, Resource
from kernel.errors import define

NO_SUCH_PROJECT = define(
    "NO_SUCH_PROJECT", source="client", status=404, hint="see your projects: shipoff projects list"
)
KEEP_S: Final = 60.0  # a project that changes hands is the old team's for so long here
MOST: Final = 10_000  # projects that are remembered; more than a service of one machine is asked for in a minute


class Owners:
    """Remembers the team of each project for a minute.

    Args:
        fetch: asks the projects service, as the platform, which team owns a project.
    """

    def __init__(self, fetch: Callable[[str], Awaitable[str]]) -> None:
        self._fetch = fetch
        self._known: dict[str, tuple[str, float]] = {}

    async def require(self, permission: Permission, project_id: str) -> str:
        """Refuses unless the caller of this call may do something with a project.

        Args:
            permission: that is needed.
            project_id: "" is all projects, which only the platform may ask for.

        Returns:
            The team that owns the project; "" when the platform asks, which need not know.

        Raises:
            ShipoffError: PERMISSION_DENIED; NO_SUCH_PROJECT for those who may not see it, and what the projects
                service says of one that is not there.
        """
        if principal.current().kind is principal.Kind.PLATFORM:
            return ""
        if not project_id:
            raise PERMISSION_DENIED("only the platform itself may ask for all projects", hint="")
        hidden = NO_SUCH_PROJECT(f"there is no project {project_id[:80]!r}")
        team_id = await self._team_of(project_id)
        require(permission, Resource(team_id, project_id), hidden=hidden)
        return team_id

    async def _team_of(self, project_id: str) -> str:
        now = asyncio.get_running_loop().time()
        team_id, until = self._known.get(project_id, ("", 0.0))
        if until <= now:
            team_id = await self._fetch(project_id)
            if len(self._known) >= MOST:
                self._known.clear()
            self._known[project_id] = team_id, now + KEEP_S
        return team_id
