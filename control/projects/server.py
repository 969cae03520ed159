"""The gRPC face of projects (proto/projects/v1): turns messages into calls of the domain and back."""

# ruff: noqa: N802 - the methods have the names that the .proto gives them
from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from control.projects import convert
from control.projects.catalog.changes import bump, transfer, update
from control.projects.catalog.service import PROJECT_NOT_FOUND, Catalog, add, delete
from control.projects.deployments.change import deploy_change
from control.projects.deployments.rules import Filter
from control.projects.deployments.service import PRODUCTION, Deployment, Deployments, again, unknown
from control.projects.domains.lists import withdraw
from control.projects.env.merge import EnvVar, Phase, merged
from control.projects.env.service import Env, EnvChange
from control.projects.github.tokens import Tokens
from control.projects.previews.service import PreviewLimits, Previews
from control.projects.repositories.service import Links
from control.projects.repositories.source import CommitSources
from control.projects.routing.service import Routing
from kernel import audit
from kernel.authority import Permission, Resource, current, require, require_platform
from kernel.database import Database
from kernel.errors import ShipoffError
from kernel.route_rules import RULES_INVALID
from kernel.sealing import Sealer
from proto.projects.v1 import projects_pb2 as pb
from proto.projects.v1.projects_pb2_grpc import ProjectsServicer


class ProjectsServer(ProjectsServicer):
    """Answers the calls of projects.proto."""

    def __init__(self, database: Database, sealer: Sealer, limits: PreviewLimits, tokens: Tokens | None = None) -> None:
        self._database, self._limits = database, limits
        self._catalog, self._deployments = Catalog(database), Deployments(database, limits)
        self._previews = Previews(database)
        self._env, self._routing = Env(database, sealer), Routing(database)
        self._sources = CommitSources(database, Links(database, sealer), tokens)

    async def CreateProject(self, request: pb.CreateProjectRequest, context: Any) -> pb.Project:
        """The project and its first env vars, or neither."""
        build = convert.build_from(request.build)
        team_id = request.team_id or f"tem_{current().account_id[4:]}"
        require(Permission.PROJECT_CREATE, Resource(team_id))
        async with self._database.transaction() as tx:
            project = await add(tx, request.name, team_id, build, request.production_branch)
            await audit.record(tx, "project.create", team_id=team_id, project_id=project.id, target=project.name)
            if request.env:
                version = await self._env.change(tx, project.id, EnvChange(request.env))
                project = replace(project, version=version)
        return convert.project_to(project)

    async def GetProject(self, request: pb.GetProjectRequest, context: Any) -> pb.Project:
        """By id or name."""
        return convert.project_to(await self._catalog.reach(request.project, Permission.PROJECT_READ, request.team_id))

    async def ListProjects(self, request: pb.ListProjectsRequest, context: Any) -> pb.ListProjectsResponse:
        """Those that the caller may see."""
        found = await self._catalog.seen(current(), request.team_id, after=request.after, limit=request.limit)
        return pb.ListProjectsResponse(projects=[convert.project_to(project) for project in found])

    async def UpdateProject(self, request: pb.UpdateProjectRequest, context: Any) -> pb.Project:
        """All changes or none."""
        await self._catalog.reach(request.project_id, Permission.PROJECT_UPDATE)
        async with self._database.transaction() as tx:
            project = await update(tx, request.project_id, convert.change_from(request), request.expect_version)
        return convert.project_to(project)

    async def TransferProject(self, request: pb.TransferProjectRequest, context: Any) -> pb.Project:
        """Away from one team, and to another one."""
        async with self._database.transaction() as tx:
            return convert.project_to(await transfer(tx, request.project_id, request.team_id))

    async def DeleteProject(self, request: pb.DeleteProjectRequest, context: Any) -> pb.DeleteProjectResponse:
        """All of it."""
        await self._catalog.reach(request.project_id, Permission.PROJECT_DELETE)
        async with self._database.transaction() as tx:
            await withdraw(tx, request.project_id)
            await delete(tx, request.project_id)
        return pb.DeleteProjectResponse()

    async def ListPreviews(self, request: pb.ListPreviewsRequest, context: Any) -> pb.ListPreviewsResponse:
        """By name."""
        await self._catalog.reach(request.project_id, Permission.DEPLOYMENT_READ)
        return convert.previews_to(await self._previews.of(request.project_id))

    async def DeletePreview(self, request: pb.DeletePreviewRequest, context: Any) -> pb.DeletePreviewResponse:
        """The orchestrator takes down what it runs."""
        await self._catalog.reach(request.project_id, Permission.DEPLOYMENT_DELETE)
        await self._previews.end(request.project_id, request.environment)
        return pb.DeletePreviewResponse()

    async def SetRules(self, request: pb.SetRulesRequest, context: Any) -> pb.Rules:
        """All of them, and with them, when asked for, the deployment that brings them live."""
        project = await self._catalog.reach(request.project_id, Permission.PROJECT_UPDATE)
        wanted, made = _object(request.rules), ""
        async with self._database.transaction() as tx:
            rules = await self._routing.replace(tx, project.id, wanted)
            version = await bump(tx, project.id, request.expect_version)
            await audit.record(
                tx, "rules.change", team_id=project.team_id, project_id=project.id, after={"rules": sorted(rules)}
            )
            if request.deploy:
                made = await deploy_change(tx, project.id, PRODUCTION, request.actor_id, self._limits)
        return pb.Rules(rules=json.dumps(rules), deployment_id=made, version=version)

    async def GetRules(self, request: pb.GetRulesRequest, context: Any) -> pb.Rules:
        """As they are stored."""
        project = await self._catalog.reach(request.project_id, Permission.PROJECT_READ)
        return pb.Rules(rules=json.dumps(await self._routing.of(project.id)), version=project.version)

    async def CreateDeployment(self, request: pb.CreateDeploymentRequest, context: Any) -> pb.Deployment:
        """Row and event together; the same id twice is one deployment."""
        await self._catalog.reach(request.project_id, Permission.DEPLOYMENT_CREATE)
        return convert.deployment_to(await self._deployments.create(convert.request_from(request)))

    async def Redeploy(self, request: pb.RedeployRequest, context: Any) -> pb.Deployment:
        """A new build of an old commit; the same id twice is one deployment."""
        await self._catalog.reach(request.project_id, Permission.DEPLOYMENT_CREATE)
        earlier = await self._deployments.get(request.of, request.project_id)
        wanted = again(earlier, request.deployment_id, request.actor_id)
        return convert.deployment_to(await self._deployments.create(wanted))

    async def GetDeployment(self, request: pb.GetDeploymentRequest, context: Any) -> pb.Deployment:
        """One deployment."""
        return convert.deployment_to(await self._reach(request, Permission.DEPLOYMENT_READ))

    async def CancelDeployment(self, request: pb.GetDeploymentRequest, context: Any) -> pb.Deployment:
        """Asks for a deployment's end."""
        deployment = await self._reach(request, Permission.DEPLOYMENT_UPDATE)
        return convert.deployment_to(await self._deployments.cancel(deployment.id, deployment.project_id))

    async def ListDeployments(self, request: pb.ListDeploymentsRequest, context: Any) -> pb.ListDeploymentsResponse:
        """Newest first."""
        await self._catalog.reach(request.project_id, Permission.DEPLOYMENT_READ)
        chosen = Filter(request.environment, tuple(request.states), tuple(request.kinds))
        found = await self._deployments.recent(request.project_id, request.limit, request.before, chosen)
        return pb.ListDeploymentsResponse(deployments=[convert.deployment_to(one) for one in found])

    async def GetDeploymentSpec(self, request: pb.GetDeploymentRequest, context: Any) -> pb.DeploymentSpec:
        """All that a build and a release need: secrets too, so for the platform alone."""
        require_platform()
        deployment = await self._deployments.get(request.deployment_id, request.project_id)
        project = await self._catalog.get(deployment.project_id)
        variables = await self._env.of(project.id)
        return pb.DeploymentSpec(
            deployment=convert.deployment_to(deployment),
            project=convert.project_to(project),
            env=_values(variables, deployment.environment, "run"),
            build_env=_values(variables, deployment.environment, "build"),
            rules=json.dumps(await self._routing.of(project.id)),
            source=convert.source_to(await self._sources.of(deployment)),
        )

    async def _reach(self, request: pb.GetDeploymentRequest, permission: Permission) -> Deployment:
        """A deployment, if the caller may do something with its project; else it is not there."""
        deployment = await self._deployments.get(request.deployment_id, request.project_id)
        try:
            await self._catalog.reach(deployment.project_id, permission)
        except ShipoffError as error:
            raise unknown(request.deployment_id) if error.code == PROJECT_NOT_FOUND.code else error from None
        return deployment


def _values(variables: list[EnvVar], environment: str, phase: Phase) -> dict[str, str]:
    return {name: one.value for name, one in merged(variables, environment, phase).items()}


def _object(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise RULES_INVALID("the rules are no JSON object")
    return found
