"""The stage BUILDING: a commit becomes a plan and an artifact. What it writes on disk is gone when it returns."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

from kernel import ids
from kernel.deployments import Stage
from orchestrator.attempt import Attempt
from orchestrator.build.artifact import Artifacts
from orchestrator.build.cache_key import cache_key
from orchestrator.build.caches import Caches
from orchestrator.build.describe import describe
from orchestrator.build.detect import detect
from orchestrator.build.failure import failure
from orchestrator.build.fetch import Source, Sources
from orchestrator.build.plan import BuildPlan, BuildSettings
from orchestrator.build.siblings import Siblings
from orchestrator.build.submodules import Submodules, commands
from orchestrator.drivers.base import BuildJob, Driver
from orchestrator.failures import ProcessFailedError
from orchestrator.patience import Patience
from proto.projects.v1.projects_pb2 import BuildSettings as Wanted
from proto.projects.v1.projects_pb2 import DeploymentSpec


@dataclass(frozen=True, slots=True)
class Built:
    """What a build leaves.

    Attributes:
        release_id: of the release to be; a static site's manifest carries it.
        plan: how it was built and is run.
        artifact: static: the manifest's key in the object store; dynamic: the sha256 of the slug.
    """

    release_id: str
    plan: BuildPlan
    artifact: str


class Builder:
    """Builds one commit after the other, as many at a time as its caller lets it."""

    def __init__(
        self,
        work_dir: Path,
        driver: Driver,
        artifacts: Artifacts,
        sources: Sources,
        siblings: Siblings,
        caches: Caches,
        patience: Patience,
    ) -> None:
        self._builds, self._driver = work_dir / "builds", driver
        self._artifacts, self._sources, self._siblings = artifacts, sources, siblings
        self._caches, self._patiently = caches, patience

    async def build(self, attempt: Attempt, spec: DeploymentSpec) -> Built:
        """Fetches, plans, builds and packs.

        Raises:
            ShipoffError: of the stage that `attempt` shows.
            ProcessFailedError: a step of the build failed.
        """
        attempt.log.hide(spec.env)
        tree = self._builds / attempt.id
        await _clear(tree)
        try:
            plan, source = await self._prepare(attempt, spec, tree)
            return await self._make(attempt, spec, plan, tree, source.epoch_s)
        finally:
            await _clear(tree)

    async def _prepare(self, attempt: Attempt, spec: DeploymentSpec, tree: Path) -> tuple[BuildPlan, Source]:
        deployment = spec.deployment
        source = await self._patiently(
            lambda: self._sources.fetch(spec.project.name, deployment.ref, deployment.commit, tree)
        )
        await self._complete(attempt, spec, source, tree)
        attempt.enter(Stage.DETECT)
        plan = await asyncio.to_thread(detect, tree, _settings(spec.project.build))
        for line in describe(plan):
            await attempt.log.say(line)
        return plan, source

    async def _complete(self, attempt: Attempt, spec: DeploymentSpec, source: Source, tree: Path) -> None:
        """Brings submodules, and says what of the source is not there."""
        if pointers := source.lfs_pointers:
            shown = ", ".join(pointers[:3])
            await attempt.log.say(f"warning: {len(pointers)} files are pointers of Git LFS, not contents ({shown} …)")
            await attempt.log.say("  LFS is not fetched: commit the files themselves, or download them in the build")
        if not source.submodules:
            return

        async def may_read(project: str) -> bool:
            return await self._patiently(lambda: self._siblings.may_read(spec.project.account_id, project))

        outside = await Submodules(self._sources).complete(source, tree, may_read)
        if outside:
            plan = BuildPlan("git", "dynamic")
            await self._run(
                attempt, BuildJob(attempt.id, spec.project.id, plan, tree, dict(spec.env), steps=commands(outside))
            )

    async def _make(self, attempt: Attempt, spec: DeploymentSpec, plan: BuildPlan, tree: Path, epoch_s: int) -> Built:
        attempt.enter(Stage.BUILD)
        key = await asyncio.to_thread(cache_key, tree, plan)
        cache = self._caches.of(spec.project.id, spec.deployment.environment, key) if key else None
        await self._run(attempt, BuildJob(attempt.id, spec.project.id, plan, tree, dict(spec.env), cache=cache))
        attempt.enter(Stage.ARTIFACT)
        release_id = ids.new("rel")
        if plan.kind == "static":
            output = tree / plan.root_dir / plan.output_dir
            key = await self._patiently(
                lambda: self._artifacts.publish_static(spec.project.id, release_id, output, spa=plan.spa, within=tree)
            )
            return Built(release_id, plan, key)
        digest = await self._patiently(lambda: self._artifacts.publish_slug(tree, epoch_s=epoch_s))
        await self._driver.seed(spec.project.id, digest, tree)
        return Built(release_id, plan, digest)

    async def _run(self, attempt: Attempt, job: BuildJob) -> None:
        if not job.commands:
            return
        result = await self._driver.build(job, attempt.log.line)
        attempt.timings_ms |= {f"build.{step}": spent for step, spent in result.timings_ms.items()}
        if not result.ok:
            # No last lines: the log has them already.
            raise ProcessFailedError(failure(job, result), result.exit_status, ())


def _settings(wanted: Wanted) -> BuildSettings:
    return BuildSettings(
        framework=wanted.framework,
        root_dir=wanted.root_dir,
        install_command=wanted.install_command,
        build_command=wanted.build_command,
        run_command=wanted.run_command,
        output_dir=wanted.output_dir,
        health_path=wanted.health_path,
    )


async def _clear(tree: Path) -> None:
    """Removes a tree however deep: Python's own rmtree follows a tenant's nesting by recursion, and gives up."""
    remove = await asyncio.create_subprocess_exec("rm", "-rf", "--", str(tree), stderr=asyncio.subprocess.DEVNULL)
    await asyncio.shield(remove.wait())
