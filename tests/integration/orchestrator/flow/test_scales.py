"""What was wanted is kept per environment, and bounds set by hand outlive the autoscaler's numbers."""

import pytest

from kernel.database import Database, load_queries
from kernel.errors import ShipoffError
from orchestrator.build.plan import BuildPlan
from orchestrator.build.running import Scaling
from orchestrator.scaling import Scale, scales_of, set_bounds, set_desired

SQL = load_queries("orchestrator")
PLAN = BuildPlan("custom", "dynamic", run="serve", scaling=Scaling(min=0, max=4))
PRODUCTION = ("prj_1", "production")


async def web(database: Database, environment: str = "production") -> Scale:
    return scales_of(await database.fetch(SQL["scales_of"], "prj_1", environment), PLAN)["web"]


async def want(database: Database, count: int) -> None:
    async with database.transaction() as tx:
        await set_desired(tx, *PRODUCTION, count, "autoscaler")


async def bound(database: Database, bounds: tuple[int, int] | None) -> None:
    async with database.transaction() as tx:
        await set_bounds(tx, *PRODUCTION, "web", bounds, "acc_1")


async def test_the_last_number_wins_in_its_environment_only(database: Database) -> None:
    await want(database, 2)
    await want(database, 3)
    assert await web(database) == Scale(0, 4, 3)
    assert await web(database, "preview/x") == Scale(0, 4, 1)


async def test_a_hand_stands_above_the_autoscaler_until_it_lets_go(database: Database) -> None:
    await want(database, 1)
    await bound(database, (3, 3))
    assert await web(database) == Scale(3, 3, 3)
    await want(database, 0)
    assert await web(database) == Scale(3, 3, 3)
    await bound(database, None)
    assert await web(database) == Scale(0, 4, 1)


async def test_a_range_that_is_none_is_refused(database: Database) -> None:
    with pytest.raises(ShipoffError, match="SCALE_INVALID"):
        await bound(database, (3, 2))
