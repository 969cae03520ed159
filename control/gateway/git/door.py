"""git smart HTTP (gitprotocol-http(5)): who asks, for which repository, and whether there is a place free."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Final, cast

from aiohttp import web

from control.gateway.clients import Clients
from control.gateway.frame import address
from control.gateway.git.access import Grant, Service, admit
from control.gateway.git.backend import Backend
from control.gateway.git.command import Git
from control.gateway.git.config import DEPLOYMENTS
from control.gateway.git.deploy import Push
from control.gateway.git.pushes import Pushes
from control.gateway.git.repos import Repos
from control.gateway.identity import as_platform
from control.gateway.settings import GatewaySettings
from kernel.errors import ShipoffError, define
from proto.projects.v1 import projects_pb2

log = logging.getLogger(__name__)

GIT_SERVICE_UNKNOWN = define(
    "GIT_SERVICE_UNKNOWN", source="client", status=403, hint="use git 1.6.6 or newer; only smart HTTP is served"
)
GIT_BUSY = define("GIT_BUSY", status=503, retryable=True, hint="try again in a moment")

SERVICES: Final = frozenset({"git-upload-pack", "git-receive-pack"})


class GitDoor:
    """Serves /git/<project>.git/….

    Args:
        settings: limits, and the service token.
        clients: of auth and projects.
        git: to look at branches.
        repos: where repositories are.
        backend: git's CGI.
        pushes: where hooks report.
    """

    def __init__(
        self, settings: GatewaySettings, clients: Clients, git: Git, repos: Repos, backend: Backend, pushes: Pushes
    ) -> None:
        self._settings, self._clients, self._git = settings, clients, git
        self._repos, self._backend, self._pushes = repos, backend, pushes
        # Two pools: a push that waits for its deployment waits for the orchestrator's fetch.
        self._places: Mapping[str, asyncio.Semaphore] = {
            "git-upload-pack": asyncio.Semaphore(settings.fetches),
            "git-receive-pack": asyncio.Semaphore(settings.pushes),
        }

    async def forget(self, project_id: str) -> None:
        """Removes a project's repository, if it has one."""
        await self._repos.remove(project_id)

    async def advertise(self, request: web.Request) -> web.StreamResponse:
        """GET info/refs: what there is, after the branch was brought in line with what is live."""
        service = _service(request.query.get("service", ""))
        grant = await self._admit(request, service)
        repository = await self._repos.ensure(grant.project.id, grant.project.production_branch)
        async with self._place("git-upload-pack"):  # short, whichever service it is for
            if not grant.trusted:
                await self._align(grant)
            path = f"/{repository.name}/info/refs"
            return await self._backend.serve(request, path, _identity(grant), trusted=grant.trusted)

    async def exchange(self, request: web.Request) -> web.StreamResponse:
        """POST git-upload-pack or git-receive-pack: a fetch, or a push with all that follows from it."""
        service = _service(request.match_info["service"])
        grant = await self._admit(request, service)
        repository = await self._repos.ensure(grant.project.id, grant.project.production_branch)
        path = f"/{repository.name}/{service}"
        async with self._place(service):
            if service == "git-upload-pack":
                return await self._backend.serve(request, path, _identity(grant), trusted=grant.trusted)
            with self._pushes.admitted(Push(grant, repository)) as variables:
                extra = {**_identity(grant), **variables}
                return await self._backend.serve(request, path, extra, trusted=False)

    async def _admit(self, request: web.Request, service: Service) -> Grant:
        project = request.match_info["project"].removesuffix(".git")
        shown = request.headers.get("Authorization", "")
        return await admit(self._clients, self._settings.service_token, shown, project, service, address.of(request))

    @asynccontextmanager
    async def _place(self, service: str) -> AsyncIterator[None]:
        places = self._places[service]
        try:
            await asyncio.wait_for(places.acquire(), self._settings.queue_s)
        except TimeoutError:
            raise GIT_BUSY("too many people push or fetch at this moment") from None
        try:
            yield
        finally:
            places.release()

    async def _align(self, grant: Grant) -> None:
        """Moves the production branch to what its last push brought live, should the gateway have missed that.

        It missed it when it was killed while a push waited. Uploads (`shipoff deploy`) do not move the branch.
        """
        project = grant.project
        if not project.live_deployment_id:
            return
        try:
            wanted = projects_pb2.GetDeploymentRequest(deployment_id=project.live_deployment_id)
            with as_platform():
                live = await self._clients.projects.GetDeployment(wanted)
            if not live.ref.startswith(f"{DEPLOYMENTS}/"):
                return
            repository, branch = self._repos.path(project.id), f"refs/heads/{project.production_branch}"
            found = await self._git.run(repository, "for-each-ref", "--format=%(objectname)", branch)
            if found != live.commit:
                await self._git.run(repository, "update-ref", branch, live.commit)
        except ShipoffError as error:
            log.warning("the branch of %s may not show what is live: %s", project.name, error)


def _service(name: str) -> Service:
    if name not in SERVICES:
        raise GIT_SERVICE_UNKNOWN("this is not a request of smart HTTP")
    return cast("Service", name)


def _identity(grant: Grant) -> dict[str, str]:
    """Who it is, for reflogs."""
    return {"REMOTE_USER": "shipoff-service" if grant.trusted else grant.who.actor_id}
