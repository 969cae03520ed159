"""The step into PROVISIONING, which all kinds of deployments take: a release, and where it is to be served."""

from __future__ import annotations

from dataclasses import replace
from typing import Final
from urllib.parse import urlsplit

from kernel.database import load_queries
from kernel.database.pool import Row
from kernel.deployments import State
from kernel.rpc import RpcClient
from kernel.sealing import Sealer
from orchestrator.attempt import Attempt, OvertakenError
from orchestrator.failpoints import Write
from orchestrator.moves import Note, move
from orchestrator.patience import Patience
from orchestrator.plan_limits import PlanLimits
from orchestrator.release.hosts import PREVIEW, label_of
from orchestrator.release.release import Release, save
from proto.projects.v1.projects_pb2 import DeploymentSpec, GetDeploymentRequest
from proto.projects.v1.projects_pb2_grpc import ProjectsStub

SQL: Final = load_queries("orchestrator")


class Releasing:
    """Asks the projects service what is wanted, and writes the release that answers it.

    Args:
        projects: the channel to the projects service.
        apps_url: where a project is served; `{project}` is its name.
    """

    def __init__(self, projects: RpcClient, sealer: Sealer, patience: Patience, apps_url: str) -> None:
        self._sealer, self._patiently, self._apps_url = sealer, patience, apps_url
        self._projects = projects.stub(ProjectsStub)

    async def spec(self, attempt: Attempt) -> DeploymentSpec:
        """What the deployment's project looks like now, its variables in clear.

        Raises:
            ShipoffError: from the projects service.
        """
        wanted = GetDeploymentRequest(deployment_id=attempt.id)
        spec: DeploymentSpec = await self._patiently(lambda: self._projects.GetDeploymentSpec(wanted))
        return spec

    async def made(self, attempt: Attempt, release: Release, project_name: str) -> Row:
        """Writes a new release, cut down to what the tenant's plan gives, and moves its deployment to PROVISIONING."""
        plan, cut = PlanLimits.read(attempt.row["limits"]).cut(release.plan)
        if cut:
            await attempt.log.say(f"the team's plan gives less than is asked for: {', '.join(cut)}")
        release = replace(release, plan=plan)
        return await self._patiently(lambda: self._provision(attempt, release, project_name, new=True))

    async def found(self, attempt: Attempt, release: Release, project_name: str) -> Row:
        """Moves the deployment to PROVISIONING with a release that is there already."""
        return await self._patiently(lambda: self._provision(attempt, release, project_name, new=False))

    async def _provision(self, attempt: Attempt, release: Release, project_name: str, *, new: bool) -> Row:
        url = self._apps_url.format(project=label_of(project_name, attempt.environment))
        async with attempt.writing(Write.RELEASE) as tx:
            await tx.execute(SQL["lock_endpoints"], release.id)  # from here on nobody ends its instances
            await tx.execute(SQL["set_host"], attempt.id, urlsplit(url).hostname or "")
            attempt.leave()
            note = Note(release_id=release.id, url=url, timings_ms=attempt.timings_ms)
            row = await move(tx, attempt.id, State.PROVISIONING, note)
            if row is None:
                raise OvertakenError  # by somebody else, or by ourselves in a commit whose answer was lost
            if new:
                await save(tx, release, self._sealer)
            if attempt.environment.startswith(PREVIEW):
                await tx.execute(SQL["bound_preview"], attempt.project_id, attempt.environment)
        return row
