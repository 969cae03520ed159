"""PROVISIONING without a build: a rollback, a promotion or a change of settings makes its release of another one.

A rollback takes the release as it is: old code, old variables, old rules. A promotion copies it into this environment,
so that a release always belongs to one environment; coming from another one, it gets the variables and rules that this
one has now, because those of a preview name a preview's database. A change of settings copies what is live, with the
variables and the owner's rules of now. None of them builds, fetches or uploads anything.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Final

from kernel import ids
from kernel.database import Database, load_queries
from kernel.database.pool import Row
from kernel.deployments import Kind
from kernel.errors import define
from kernel.sealing import Sealer
from orchestrator.attempt import Attempt
from orchestrator.patience import Patience
from orchestrator.release.release import Release, from_row, load
from orchestrator.stages.releasing import Releasing
from proto.projects.v1.projects_pb2 import DeploymentSpec

RELEASE_NOT_KEPT = define(
    "RELEASE_NOT_KEPT",
    source="client",
    status=409,
    hint="shipoff releases lists what can be brought back; deploy that commit again for anything older",
)
NOTHING_LIVE = define(
    "NOTHING_LIVE", source="client", status=409, hint="nothing serves in this environment yet: shipoff deploy"
)
SQL: Final = load_queries("orchestrator")


class Deriving:
    """Makes the releases of deployments that need no build."""

    def __init__(self, database: Database, sealer: Sealer, patience: Patience, releasing: Releasing) -> None:
        self._database, self._sealer, self._patiently, self._releasing = database, sealer, patience, releasing

    async def run(self, attempt: Attempt) -> Row:
        """Returns the attempt's row in PROVISIONING, with its release.

        Raises:
            ShipoffError: RELEASE_NOT_KEPT, NOTHING_LIVE, SEAL_BROKEN, or the platform's fault.
            OvertakenError: somebody ended the deployment.
        """
        kind = Kind(attempt.row["kind"])
        spec = await self._releasing.spec(attempt)
        if kind is Kind.CONFIG:
            base = await self._patiently(lambda: self._live(attempt))
            return await self._releasing.made(attempt, await self._of_now(attempt, base, spec), spec.project.name)
        base = await self._patiently(lambda: self._kept(attempt))
        if base.environment != attempt.environment:
            return await self._releasing.made(attempt, await self._of_now(attempt, base, spec), spec.project.name)
        if kind is Kind.ROLLBACK:
            return await self._releasing.found(attempt, base, spec.project.name)
        return await self._releasing.made(attempt, self._copy(attempt, base), spec.project.name)

    async def _of_now(self, attempt: Attempt, base: Release, spec: DeploymentSpec) -> Release:
        """A copy with the variables and the owner's rules that this environment has now."""
        changed = replace(base, env=dict(spec.env), rules=json.loads(spec.rules or "{}"))
        if base.kind == "static" and base.env != changed.env:
            await attempt.log.say("a static site has its variables built in: they change with the next build")
        return self._copy(attempt, changed)

    def _copy(self, attempt: Attempt, base: Release) -> Release:
        return replace(base, id=ids.new("rel"), deployment_id=attempt.id, environment=attempt.environment)

    async def _live(self, attempt: Attempt) -> Release:
        row = await self._database.fetchrow(SQL["live_deployment"], attempt.project_id, attempt.environment)
        if row is None:
            raise NOTHING_LIVE(f"nothing is live in {attempt.environment}, so there is nothing to change")
        return await load(self._database, row["release_id"], self._sealer)

    async def _kept(self, attempt: Attempt) -> Release:
        wanted = attempt.row["made_of"]
        row = await self._database.fetchrow(SQL["kept_release"], wanted, attempt.project_id)
        if row is None:
            raise RELEASE_NOT_KEPT(f"the project keeps no release {wanted!r}")
        return from_row(row, self._sealer)
