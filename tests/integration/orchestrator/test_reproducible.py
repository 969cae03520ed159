"""Two builds of the same example give the same artifact."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from kernel import ids
from kernel.database import Database, migrate
from orchestrator.build.content import content_digest
from orchestrator.build.detect import detect
from orchestrator.build.last_slugs import LastSlugs
from orchestrator.build.plan import BuildSettings
from orchestrator.drivers.base import BuildJob
from tests.integration.orchestrator.workshop import PROJECT, Workshop

EXAMPLES = Path(__file__).parents[3] / "examples"


@pytest.mark.parametrize("example", ["node-express", "python-flask", "python-fastapi", "vite-spa"])
async def test_an_example_built_twice_is_the_same(workshop: Workshop, example: str) -> None:
    digests = set()
    for _ in range(2):
        tree = workshop.scratch / ids.new("bld")
        shutil.copytree(EXAMPLES / example, tree, ignore=shutil.ignore_patterns("node_modules", ".venv"))
        plan = detect(tree, BuildSettings())
        result = await workshop.build(
            BuildJob(ids.new("bld"), PROJECT, plan, tree, {"SOURCE_DATE_EPOCH": "1700000000"})
        )
        assert result.ok, workshop.lines
        digests.add(content_digest(tree / plan.output_dir))
    assert len(digests) == 1


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    migrate(database_url, "orchestrator")
    database = await Database.connect(database_url)
    yield database
    await database.close()


async def test_only_the_last_content_of_an_environment_is_known(database: Database) -> None:
    last, project = LastSlugs(database), ids.new("prj")
    assert await last.find(project, "production", "c1") == ""
    await last.remember(project, "production", "c1", "s1")
    assert await last.find(project, "production", "c1") == "s1"
    assert await last.find(project, "preview/x", "c1") == ""
    await last.remember(project, "production", "c2", "s2")
    # Going back is no "unchanged": a client that saw c2 must be told that c1 is newer.
    assert await last.find(project, "production", "c1") == ""
