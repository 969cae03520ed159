"""The first part of a build: a directory with exactly the commit and its submodules, and a word on what is missing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from orchestrator.attempt import Attempt
from orchestrator.build.elsewhere import Elsewhere
from orchestrator.build.fetch import Source, Sources
from orchestrator.build.plan import BuildPlan
from orchestrator.build.siblings import Siblings
from orchestrator.build.steps import run_steps
from orchestrator.build.submodules import Submodules, commands
from orchestrator.drivers.base import BuildJob, Driver
from orchestrator.patience import Patience
from proto.projects.v1.projects_pb2 import DeploymentSpec


class Checkout:
    """Makes source trees of deployments' commits."""

    def __init__(
        self, sources: Sources, elsewhere: Elsewhere, siblings: Siblings, driver: Driver, patience: Patience
    ) -> None:
        self._sources, self._elsewhere = sources, elsewhere
        self._siblings, self._driver = siblings, driver
        self._patiently = patience

    async def run(self, attempt: Attempt, spec: DeploymentSpec, tree: Path) -> Source:
        """Fetches a deployment's commit into a directory that is not there yet.

        Raises:
            ShipoffError: SOURCE_…, SUBMODULE_REFUSED.
            ProcessFailedError: a submodule from elsewhere can't be fetched.
        """
        source = await self._patiently(lambda: self._fetch(spec, tree))
        if pointers := source.lfs_pointers:
            shown = ", ".join(pointers[:3])
            await attempt.log.say(f"warning: {len(pointers)} files are pointers of Git LFS, not contents ({shown} …)")
            await attempt.log.say("  LFS is not fetched: commit the files themselves, or download them in the build")
        if source.submodules:
            await self._complete(attempt, spec, source, tree)
        return source

    async def _fetch(self, spec: DeploymentSpec, tree: Path) -> Source:
        if spec.HasField("source"):
            return await self._elsewhere.fetch(spec.source, tree)
        wanted = spec.deployment
        return await self._sources.fetch(spec.project.name, wanted.ref, wanted.commit, tree)

    async def _complete(self, attempt: Attempt, spec: DeploymentSpec, source: Source, tree: Path) -> None:
        async def may_read(project: str) -> bool:
            return await self._patiently(lambda: self._siblings.may_read(spec.project.team_id, project))

        outside = await Submodules(self._sources).complete(source, tree, may_read)
        job = BuildJob(attempt.id, spec.project.id, BuildPlan("git", "dynamic"), tree, dict(spec.build_env))
        if outside:
            await run_steps(self._driver, attempt, replace(job, steps=commands(outside)))
