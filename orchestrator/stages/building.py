"""BUILDING: from a commit to a release."""

from __future__ import annotations

import json

from kernel.database.pool import Row
from kernel.deployments import Stage, State
from orchestrator.attempt import Attempt, OvertakenError
from orchestrator.build.builder import Builder
from orchestrator.failpoints import Write
from orchestrator.moves import Note, move
from orchestrator.patience import Patience
from orchestrator.release.release import Release
from orchestrator.stages.releasing import Releasing


class Building:
    """Makes the releases of deployments that need a build."""

    def __init__(self, builder: Builder, patience: Patience, releasing: Releasing) -> None:
        self._builder, self._patiently, self._releasing = builder, patience, releasing

    async def run(self, attempt: Attempt) -> Row:
        """Builds the attempt's commit; returns its row in PROVISIONING, with the new release.

        Raises:
            ProcessFailedError: a step of the build failed.
            ShipoffError: the source, the plan or the artifact is refused, or the platform's fault.
            OvertakenError: somebody ended the deployment.
        """
        if attempt.row["state"] == State.QUEUED:
            await self._patiently(lambda: self._begin(attempt))
        spec = await self._releasing.spec(attempt)
        built = await self._builder.build(attempt, spec)
        attempt.enter(Stage.RELEASE)
        release = Release(
            id=built.release_id,
            deployment_id=attempt.id,
            project_id=attempt.project_id,
            environment=attempt.environment,
            kind=built.plan.kind,
            artifact=built.artifact,
            plan=built.plan,
            health_strict=built.plan.health.strict,
            env=dict(spec.env),
            rules=json.loads(spec.rules or "{}"),
        )
        return await self._releasing.made(attempt, release, spec.project.name)

    async def _begin(self, attempt: Attempt) -> None:
        async with attempt.writing(Write.BEGIN) as tx:
            if await move(tx, attempt.id, State.BUILDING, Note(timings_ms=attempt.timings_ms)) is None:
                raise OvertakenError
