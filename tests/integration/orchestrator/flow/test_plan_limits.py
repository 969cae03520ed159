"""What a tenant's plan gives, where instances are started and scaled."""

from __future__ import annotations

import asyncio

import pytest

from kernel import ids
from kernel.errors import ShipoffError
from orchestrator.build.plan import BuildPlan
from orchestrator.build.running import Scaling
from orchestrator.operate.processes import Processes
from orchestrator.plan_limits import Room
from orchestrator.release.release import Release, save
from tests.integration.orchestrator.flow.shop import ENVIRONMENT, PROJECT, SERVE, Shop

PLAN = BuildPlan("custom", "dynamic", "python", run="exec python3 serve.py", scaling=Scaling(min=1, max=9))


async def limited(shop: Shop, **limits: int) -> Release:
    """An app that runs, of a team with limits."""
    release = await shop.release(PLAN, {"serve.py": SERVE})
    await shop.database.execute("update deployments set owner = 'tem_1', limits = $1", limits)
    await shop.runs(release, 1)
    return release


async def elsewhere(shop: Shop, owner: str, *states: str) -> None:
    """Instances of another project."""
    deployment = ids.new("dep")
    release = Release(ids.new("rel"), deployment, "prj_2", "production", "dynamic", "x", PLAN, False, {})
    async with shop.database.transaction() as tx:
        await tx.execute(
            "insert into deployments (id, project_id, environment, state, release_id, owner)"
            " values ($1, 'prj_2', 'production', 'INACTIVE', $2, $3)",
            deployment, release.id, owner,
        )  # fmt: skip
        await save(tx, release, shop.sealer)
        for state in states:
            await tx.execute(
                "insert into instances (id, release_id, project_id, state) values ($1, $2, 'prj_2', $3)",
                ids.new("ins"), release.id, state,
            )  # fmt: skip


async def test_a_scale_above_the_plan_s_is_refused(shop: Shop) -> None:
    await limited(shop, instances=2)
    processes = Processes(shop.database, 20, shop.keeper.look)
    with pytest.raises(ShipoffError, match="LIMIT_INSTANCES"):
        await processes.scale(PROJECT, ENVIRONMENT, "web", (1, 3), "acc_1")
    assert (await processes.scale(PROJECT, ENVIRONMENT, "web", (1, 2), "acc_1")).scale.most == 2


async def test_no_more_instances_run_than_the_plan_gives_in_all(shop: Shop) -> None:
    release = await limited(shop, instances_total=2)
    processes = Processes(shop.database, 20, shop.keeper.look)
    await processes.scale(PROJECT, ENVIRONMENT, "web", (4, 4), "acc_1")
    await shop.runs(release, 2)
    for _ in range(10):
        shop.keeper.look()
        await asyncio.sleep(0.1)
    assert len(await shop.rows(release, "starting", "ready")) == 2
    await shop.database.execute("update deployments set limits = '{}'")
    await shop.runs(release, 4)


async def test_instances_of_a_team_s_other_projects_take_room_and_ended_or_strange_ones_do_not(shop: Shop) -> None:
    release = await limited(shop, instances_total=6)
    room = Room(shop.database)
    assert await room.for_release(release.id, 9) == 5  # one runs
    await shop.keeper.stop()  # else it would tidy up what it does not know
    await elsewhere(shop, "tem_1", "ready", "starting", "stopped", "crashed", "draining")
    await elsewhere(shop, "tem_2", "ready", "ready", "ready")
    assert await room.for_release(release.id, 9) == 3
    assert await room.for_release(release.id, 2) == 2
    await elsewhere(shop, "tem_1", *["ready"] * 9)
    assert await room.for_release(release.id, 1) == 0
