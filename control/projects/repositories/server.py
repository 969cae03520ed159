"""The gRPC face of repository links (proto/projects/v1/repositories.proto)."""

# ruff: noqa: N802 - the methods have the names that the .proto gives them
from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from control.projects.catalog.service import Catalog, Project
from control.projects.github.access import GitHubAccess
from control.projects.github.app import GITHUB_NOT_SET_UP
from control.projects.github.repository import find
from control.projects.repositories import convert, rules
from control.projects.repositories.installations import Installations, claim
from control.projects.repositories.service import Change, Links, Wanted
from control.projects.repositories.source import REPOSITORY_DETACHED
from control.projects.webhooks.history import History
from kernel.audit import record
from kernel.authority import Permission, Resource, current, require
from kernel.database import Database
from proto.projects.v1 import repositories_pb2 as pb
from proto.projects.v1.repositories_pb2_grpc import RepositoriesServicer

# What of a link stands in records: never a secret.
_RECORDED: Final = ("provider", "production_branch", "root_dir", "watch_paths", "previews", "fork_previews")


class RepositoriesServer(RepositoriesServicer):
    """Answers the calls of repositories.proto.

    Args:
        links: of the projects.
        access: to GitHub; None where no App is registered.
        private: whether clone URLs may be http (setting `allow_private_sources`).
        wake: called when a delivery is back in the queue.
    """

    def __init__(
        self, database: Database, links: Links, access: GitHubAccess | None, *, private: bool, wake: Callable[[], None]
    ) -> None:
        self._database, self._links, self._github, self._private = database, links, access, private
        self._wake = wake
        self._catalog, self._installations, self._history = (
            Catalog(database),
            Installations(database),
            History(database),
        )

    async def GetLink(self, request: pb.LinkRequest, context: Any) -> pb.Link:
        """Without its secrets."""
        await self._catalog.reach(request.project_id, Permission.REPOSITORY_READ)
        return convert.link_to(await self._links.get(request.project_id))

    async def PutLink(self, request: pb.PutLinkRequest, context: Any) -> pb.LinkMade:
        """Replaces the link that there may be; its webhook's secret is shown here and never again."""
        project = await self._catalog.reach(request.project_id, Permission.REPOSITORY_CREATE)
        rules.check_provider(request.provider)
        wanted = await (self._on_github if request.provider == "github" else self._elsewhere)(project, request)
        async with self._database.transaction() as tx:
            secret = await self._links.put(tx, project, wanted)
            await record(
                tx,
                "repository.link",
                team_id=project.team_id,
                project_id=project.id,
                target=wanted.full_name,
                after={**_shown(request), "clone_url": wanted.clone_url},
            )
        return pb.LinkMade(link=convert.link_to(await self._links.get(project.id)), secret=secret)

    async def UpdateLink(self, request: pb.UpdateLinkRequest, context: Any) -> pb.Link:
        """What is absent stays."""
        project = await self._catalog.reach(request.project_id, Permission.REPOSITORY_UPDATE)
        before = await self._links.get(project.id)
        change = Change(
            production_branch=request.production_branch if request.HasField("production_branch") else None,
            root_dir=request.root_dir if request.HasField("root_dir") else None,
            watch_paths=list(request.watch_paths.paths) if request.HasField("watch_paths") else None,
            previews=request.previews if request.HasField("previews") else None,
            fork_previews=request.fork_previews if request.HasField("fork_previews") else None,
            access_token=request.access_token if request.HasField("access_token") else None,
        )
        async with self._database.transaction() as tx:
            await self._links.update(tx, project, change)
            await record(
                tx,
                "repository.update",
                team_id=project.team_id,
                project_id=project.id,
                target=before.full_name,
                before=_shown(convert.link_to(before)),
                after=_shown(request),
            )
        return convert.link_to(await self._links.get(project.id))

    async def DeleteLink(self, request: pb.LinkRequest, context: Any) -> pb.DeleteLinkResponse:
        """What was deployed serves on."""
        project = await self._catalog.reach(request.project_id, Permission.REPOSITORY_DELETE)
        async with self._database.transaction() as tx:
            link_id = await self._links.delete(tx, project.id)
            await record(tx, "repository.unlink", team_id=project.team_id, project_id=project.id, target=link_id)
        return pb.DeleteLinkResponse()

    async def ListDeliveries(self, request: pb.ListDeliveriesRequest, context: Any) -> pb.ListDeliveriesResponse:
        """Newest first."""
        await self._catalog.reach(request.project_id, Permission.REPOSITORY_READ)
        found = await self._history.of(request.project_id, request.limit, request.before)
        return pb.ListDeliveriesResponse(deliveries=[convert.delivery_to(one) for one in found])

    async def Redeliver(self, request: pb.RedeliverRequest, context: Any) -> pb.Delivery:
        """It may deploy, so it needs what a deployment needs."""
        project = await self._catalog.reach(request.project_id, Permission.DEPLOYMENT_CREATE)
        async with self._database.transaction() as tx:
            await self._history.again(tx, project.id, request.delivery_id)
            await record(
                tx,
                "repository.redeliver",
                team_id=project.team_id,
                project_id=project.id,
                target=request.delivery_id,
            )
        self._wake()
        return convert.delivery_to(await self._history.get(project.id, request.delivery_id))

    async def ListInstallations(
        self, request: pb.ListInstallationsRequest, context: Any
    ) -> pb.ListInstallationsResponse:
        """By login."""
        require(Permission.REPOSITORY_READ, Resource(request.team_id))
        found = await self._installations.of(request.team_id)
        return pb.ListInstallationsResponse(installations=[convert.installation_to(one) for one in found])

    async def BeginClaim(self, request: pb.BeginClaimRequest, context: Any) -> pb.BeginClaimResponse:
        """Where the App is installed for a team."""
        require(Permission.REPOSITORY_CREATE, Resource(request.team_id))
        url, expires_at = self._access().claims.begin(request.team_id, current().account_id)
        return pb.BeginClaimResponse(url=url, expires_at_ms=int(expires_at * 1000))

    async def CompleteClaim(self, request: pb.CompleteClaimRequest, context: Any) -> pb.Installation:
        """Only by who began it, and with GitHub's word that they administer it."""
        claims, who = self._access().claims, current()
        team_id = claims.team_of(request.state, who.account_id)
        require(Permission.REPOSITORY_CREATE, Resource(team_id))
        proven = await claims.prove(request.installation_id, request.code)
        async with self._database.transaction() as tx:
            made = await claim(tx, proven, team_id, who.account_id)
            await record(tx, "installation.claim", team_id=team_id, target=str(made.id), after={"login": made.login})
        return convert.installation_to(made)

    def _access(self) -> GitHubAccess:
        if self._github is None:
            raise GITHUB_NOT_SET_UP("the platform has no GitHub App")
        return self._github

    async def _on_github(self, project: Project, request: pb.PutLinkRequest) -> Wanted:
        """The repository must be one that an installation of the project's own team sees.

        An installation opens all repositories that the team gave it, so a role on one project is not enough to use it.
        """
        access = self._access()
        require(Permission.REPOSITORY_CREATE, Resource(project.team_id))
        full_name = rules.check_full_name(request.full_name)
        installation = await self._installations.get(request.installation_id, project.team_id)
        if installation.suspended:
            raise REPOSITORY_DETACHED("the GitHub App's installation is suspended")
        found = await find(access.github, access.tokens, installation.id, installation.login, full_name)
        return convert.wanted(request, found.clone_url, found.full_name, found.id)

    async def _elsewhere(self, project: Project, request: pb.PutLinkRequest) -> Wanted:
        url = rules.check_clone_url(request.clone_url, private=self._private)
        return convert.wanted(request, url, rules.full_name_at(url))


def _shown(message: pb.PutLinkRequest | pb.UpdateLinkRequest | pb.Link) -> dict[str, Any]:
    """The fields of a message that are recorded."""
    set_there = {field.name: value for field, value in message.ListFields()}
    found = {name: set_there[name] for name in _RECORDED if name in set_there}
    if "watch_paths" in found:
        found["watch_paths"] = list(getattr(found["watch_paths"], "paths", found["watch_paths"]))
    return found | ({"access_token": "changed"} if "access_token" in set_there else {})
