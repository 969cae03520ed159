"""A project's environments, each with what is live there."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from control.projects.catalog.service import Project
from control.projects.deployments.service import PRODUCTION
from control.projects.previews.service import PREFIX
from kernel.database import Database, load_queries
from kernel.errors import define

ENVIRONMENT_NOT_FOUND = define(
    "ENVIRONMENT_NOT_FOUND", source="client", status=404, hint="see which there are: shipoff environments"
)
SQL: Final = load_queries("control.projects.environments")


@dataclass(frozen=True, slots=True)
class Environment:
    """One environment.

    Attributes:
        name: production or preview/<branch>.
        branch: that it follows.
        live_deployment_id: "" when nothing serves.
        url: where it serves, "" when nothing does.
        deployed_at: when its last deployment was asked for.
        expires_at: when a preview ends unless it is deployed to again.
    """

    name: str
    branch: str
    live_deployment_id: str
    url: str
    deployed_at: datetime | None
    expires_at: datetime | None


class Environments:
    """Finds environments."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of(self, project: Project, name: str = "") -> list[Environment]:
        """All of them, production first; or the one of this name.

        Raises:
            ShipoffError: ENVIRONMENT_NOT_FOUND when there is none of this name.
        """
        rows = await self._database.fetch(SQL["list"], project.id, name)
        if not rows:
            raise ENVIRONMENT_NOT_FOUND(f"there is no environment {name[:80]!r}")
        return [
            Environment(
                name=row["environment"],
                branch=_branch(project, row["environment"]),
                live_deployment_id=row["live_deployment_id"] or "",
                url=row["url"] or "",
                deployed_at=row["deployed_at"],
                expires_at=row["expires_at"],
            )
            for row in rows
        ]


def _branch(project: Project, environment: str) -> str:
    return project.production_branch if environment == PRODUCTION else environment.removeprefix(PREFIX)
