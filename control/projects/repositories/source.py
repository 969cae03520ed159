"""Where a build fetches its commit, with a credential that is good for that."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from control.projects.deployments.service import Deployment
from control.projects.github.tokens import Tokens
from control.projects.repositories.rules import credential_of
from control.projects.repositories.service import Links
from kernel.database import Database, load_queries
from kernel.deployments import Kind
from kernel.errors import define

REPOSITORY_DETACHED = define(
    "REPOSITORY_DETACHED",
    source="client",
    status=409,
    hint="shipoff repo show says what is wrong with the link; link the repository again",
)
SQL: Final = load_queries("control.projects.repositories")
OWN: Final = ("refs/deployments/", "refs/uploads/")  # the gateway keeps these commits itself


@dataclass(frozen=True, slots=True)
class CommitSource:
    """A commit in a repository elsewhere; user name and password are both empty when it needs none."""

    clone_url: str
    commit: str
    ref: str
    username: str
    password: str = field(repr=False)


class CommitSources:
    """Finds them.

    Args:
        links: opens the links' secrets.
        tokens: of the GitHub App; None when there is none.
    """

    def __init__(self, database: Database, links: Links, tokens: Tokens | None) -> None:
        self._database, self._links, self._tokens = database, links, tokens

    async def of(self, deployment: Deployment) -> CommitSource | None:
        """The source of a deployment that builds; None when the gateway has its commit, or nothing is built.

        Raises:
            ShipoffError: REPOSITORY_DETACHED; GITHUB_REFUSED, GITHUB_UNAVAILABLE, GITHUB_BUSY.
        """
        if deployment.kind != Kind.BUILD or deployment.ref.startswith(OWN):
            return None
        row = await self._database.fetchrow(SQL["source"], deployment.project_id)
        if row is None:
            return None
        if row["detached"] or row["suspended"]:
            raise REPOSITORY_DETACHED(row["detached"] or "the GitHub App's installation is suspended")
        if row["provider"] != "github":
            user, password = credential_of(row["provider"], self._links.token_of(row))
        elif self._tokens is None or not row["claimed"]:
            raise REPOSITORY_DETACHED("the installation of the GitHub App is not the team's any more")
        else:
            user = "x-access-token"
            password = await self._tokens.get(row["installation_id"], row["repository_id"], "clone")
        return CommitSource(row["clone_url"], deployment.commit_id, deployment.ref, user, password)
