"""The last part of a build: the tree that it left becomes an artifact, unless the store has the same already."""

from __future__ import annotations

import asyncio
from pathlib import Path

from orchestrator.attempt import Attempt
from orchestrator.build.artifact import Artifacts
from orchestrator.build.content import content_digest
from orchestrator.build.last_slugs import LastSlugs
from orchestrator.build.plan import BuildPlan
from orchestrator.drivers.base import Driver
from orchestrator.patience import Patience


class Packing:
    """Makes artifacts of built trees."""

    def __init__(self, artifacts: Artifacts, last: LastSlugs, driver: Driver, patience: Patience) -> None:
        self._artifacts, self._last, self._driver = artifacts, last, driver
        self._patiently = patience

    async def site(self, attempt: Attempt, plan: BuildPlan, tree: Path, release_id: str) -> str:
        """Publishes a static site's files; returns its manifest's key.

        Raises:
            ShipoffError: OUTPUT_MISSING, ARTIFACT_REFUSED, ARTIFACT_TOO_LARGE.
        """
        output = tree / plan.root_dir / plan.output_dir
        made = await self._patiently(
            lambda: self._artifacts.publish_static(attempt.project_id, release_id, output, spa=plan.spa, within=tree)
        )
        await attempt.log.say(f"artifact: {made.files} files, {made.new} of them new")
        return made.manifest

    async def slug(self, attempt: Attempt, tree: Path, epoch_s: int) -> str:
        """Packs an app, or finds that it is the one before; returns the slug's digest.

        Args:
            attempt: whose environment is looked at.
            tree: what the build left.
            epoch_s: the commit's time.

        Raises:
            ShipoffError: ARTIFACT_REFUSED, ARTIFACT_TOO_LARGE, DISK_FULL.
        """
        content = await asyncio.to_thread(content_digest, tree)
        where = attempt.project_id, attempt.environment
        known = await self._patiently(lambda: self._known(*where, content))
        if known:
            await attempt.log.say(f"artifact: unchanged, slug {known[:12]} is used again")
            return known
        digest = await self._patiently(lambda: self._artifacts.publish_slug(tree, epoch_s=epoch_s))
        await self._patiently(lambda: self._last.remember(*where, content, digest))
        await attempt.log.say(f"artifact: slug {digest[:12]}")
        await self._driver.seed(attempt.project_id, digest, tree)
        return digest

    async def _known(self, project_id: str, environment: str, content: str) -> str:
        known = await self._last.find(project_id, environment, content)
        return known if known and await self._artifacts.has_slug(known) else ""
