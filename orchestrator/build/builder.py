"""The stage BUILDING: a commit becomes a plan and an artifact. What it writes on disk is gone when it returns."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

from kernel import ids
from kernel.deployments import Stage
from orchestrator.attempt import Attempt
from orchestrator.build.cache_key import cache_key
from orchestrator.build.caches import Caches
from orchestrator.build.checkout import Checkout
from orchestrator.build.describe import describe
from orchestrator.build.detect import detect
from orchestrator.build.packing import Packing
from orchestrator.build.plan import BuildPlan, BuildSettings
from orchestrator.build.steps import run_steps
from orchestrator.drivers.base import BuildJob, Driver
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

    def __init__(self, work_dir: Path, driver: Driver, checkout: Checkout, caches: Caches, packing: Packing) -> None:
        self._builds, self._driver = work_dir / "builds", driver
        self._checkout, self._caches, self._packing = checkout, caches, packing

    async def build(self, attempt: Attempt, spec: DeploymentSpec) -> Built:
        """Fetches, plans, builds and packs.

        Raises:
            ShipoffError: of the stage that `attempt` shows.
            ProcessFailedError: a step of the build failed.
        """
        attempt.log.hide({**spec.env, **spec.build_env, "SOURCE_PASSWORD": spec.source.password})
        tree = self._builds / attempt.id
        await _clear(tree)
        try:
            source = await self._checkout.run(attempt, spec, tree)
            attempt.enter(Stage.DETECT)
            plan = await asyncio.to_thread(detect, tree, _settings(spec.project.build))
            for line in describe(plan):
                await attempt.log.say(line)
            attempt.enter(Stage.BUILD)
            await self._run(attempt, spec, plan, tree, source.epoch_s)
            attempt.enter(Stage.ARTIFACT)
            return await self._pack(attempt, plan, tree, source.epoch_s)
        finally:
            await _clear(tree)

    async def _run(self, attempt: Attempt, spec: DeploymentSpec, plan: BuildPlan, tree: Path, epoch_s: int) -> None:
        key = await asyncio.to_thread(cache_key, tree, plan)
        cache = self._caches.of(spec.project.id, attempt.environment, key)
        # Tools that write times into what they make take this one (reproducible-builds.org), so that the same commit
        # gives the same files.
        env = {"SOURCE_DATE_EPOCH": str(epoch_s), **spec.build_env}
        await run_steps(self._driver, attempt, BuildJob(attempt.id, spec.project.id, plan, tree, env, cache=cache))

    async def _pack(self, attempt: Attempt, plan: BuildPlan, tree: Path, epoch_s: int) -> Built:
        release_id = ids.new("rel")
        if plan.kind == "static":
            return Built(release_id, plan, await self._packing.site(attempt, plan, tree, release_id))
        return Built(release_id, plan, await self._packing.slug(attempt, tree, epoch_s))


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
