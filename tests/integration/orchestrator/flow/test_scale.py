"""An app's instances follow what routers report; it sleeps and is woken once."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

import pytest
from redis.asyncio import Redis

from kernel.activity import ReleaseActivity
from kernel.database import Database, load_queries
from kernel.events import ActivityReported, Envelope, Event, WakeRequested
from kernel.streams import OutboxRelay
from orchestrator.build.plan import BuildPlan
from orchestrator.build.running import Scaling
from orchestrator.endpoints import Endpoints
from orchestrator.leases import Leases
from orchestrator.routes import RouteTable
from orchestrator.scale.autoscaler import TASK, Autoscaler
from orchestrator.scale.signals import Signals
from orchestrator.scale.wake import Waker
from orchestrator.scale.watch import ActivityWatch
from orchestrator.scaling import set_bounds, set_desired

SQL = load_queries("orchestrator")
IDLE_S = 300.0


async def serve(
    database: Database, release: str = "rel_1", project: str = "prj_1", state: str = "running", **scaling: Any
) -> None:
    """A release that is live, for long."""
    plan = BuildPlan("custom", "dynamic", run="serve", scaling=Scaling(**{"min": 0, "max": 8, **scaling}))
    async with database.transaction() as tx:
        await tx.execute(
            "insert into deployments (id, project_id, environment, state, release_id, updated_at)"
            " values ($1, $2, 'production', 'LIVE', $3, now() - interval '1 day')",
            release.replace("rel", "dep"), project, release,
        )  # fmt: skip
        await tx.execute(
            "insert into releases (id, deployment_id, project_id, environment, kind, artifact, plan, health_strict,"
            " sealed_env) values ($1, $2, $3, 'production', 'dynamic', '', $4, false, '')",
            release, release.replace("rel", "dep"), project, plan.to_json(),
        )  # fmt: skip
        await RouteTable().put_endpoints(tx, release, [], state)


async def state(database: Database, release: str = "rel_1") -> str:
    return str((await database.fetchval(SQL["get_endpoints"], release))["state"])


async def desired(database: Database) -> int | None:
    found = await database.fetchval("select desired from scales where project_id = 'prj_1' and process = 'web'")
    return None if found is None else int(found)


@dataclass
class Scene:
    """An autoscaler on a clock of its own."""

    database: Database
    signals: Signals = field(default_factory=Signals)
    now: float = 1000.0
    looks: int = 0

    def __post_init__(self) -> None:
        self.waker = Waker(self.database, RouteTable(), self.look)
        leases = Leases(self.database, "orchestrator-1", 10)
        self.scaler = Autoscaler(
            self.database, self.signals, leases, self.waker.wake, self.look, clock=lambda: self.now
        )

    def look(self) -> None:
        self.looks += 1

    async def run(self, seconds: int, in_flight: float, release: str = "rel_1", waiting: int = 0) -> None:
        """Lets time pass under a load."""
        for second in range(seconds):
            self.now += 1
            busy = [ReleaseActivity(release, 1, busy_s=in_flight, waiting=waiting)] if in_flight or waiting else []
            self.signals.note("router_1", busy, 1.0, self.now)
            if second % 2:
                await self.scaler.tick()


@pytest.fixture
def scene(database: Database) -> Scene:
    return Scene(database)


async def test_instances_follow_the_load_up_and_down(scene: Scene, database: Database) -> None:
    await serve(database)
    for n in range(2):
        await database.execute(
            "insert into instances (id, release_id, project_id, state) values ($1, 'rel_1', 'prj_1', 'ready')",
            f"ins_{n}",
        )
    await scene.run(4, 5)
    assert await desired(database) is None  # one is enough
    await scene.run(10, 95)
    assert await desired(database) == 5
    await scene.run(200, 30)
    assert await desired(database) == 2
    assert scene.looks >= 2


async def test_it_goes_to_sleep_when_idle_and_not_when_routers_are_silent(scene: Scene, database: Database) -> None:
    await serve(database, idle_s=IDLE_S)
    await scene.run(70, 5)
    await scene.run(int(IDLE_S) - 10, 0)
    assert await desired(database) is None
    scene.now += 60
    await scene.scaler.tick()  # the router was not heard for a minute: it may be serving
    assert await desired(database) is None
    await scene.run(4, 0)
    assert await desired(database) == 0


async def test_a_sleeper_whose_wake_was_lost_is_woken_by_what_waits_for_it(scene: Scene, database: Database) -> None:
    await serve(database, state="asleep")
    async with database.transaction() as tx:
        await set_desired(tx, "prj_1", "production", 0, "autoscaler")
    await scene.run(4, 0)
    assert (await desired(database), await state(database)) == (0, "asleep")
    await scene.run(4, 0, waiting=3)
    assert (await desired(database), await state(database)) == (1, "waking")


async def test_a_sleeper_is_not_woken_by_what_is_remembered_while_a_router_is_silent(
    scene: Scene, database: Database
) -> None:
    await serve(database, idle_s=10.0)
    await scene.run(20, 5)
    await scene.run(14, 0)
    assert await desired(database) == 0
    async with database.transaction() as tx:
        await RouteTable().put_endpoints(tx, "rel_1", [], "asleep")
    for _ in range(5):
        scene.now += 2
        await scene.scaler.tick()
    assert (await desired(database), await state(database)) == (0, "asleep")


async def test_who_looked_before_it_was_woken_does_not_put_it_back_to_sleep(scene: Scene, database: Database) -> None:
    await serve(database, state="asleep")
    async with database.transaction() as tx:
        await set_desired(tx, "prj_1", "production", 0, "autoscaler")
    assert await scene.waker.wake("rel_1")
    async with database.transaction() as tx:
        _ = await Endpoints(RouteTable()).publish(tx, "rel_1", "asleep")
    assert await state(database) == "waking"
    assert not await scene.waker.wake("rel_1")
    async with database.transaction() as tx:
        await set_desired(tx, "prj_1", "production", 0, "autoscaler")
        _ = await Endpoints(RouteTable()).publish(tx, "rel_1", "asleep")
    assert await state(database) == "asleep"


async def test_bounds_by_hand_hold_and_a_fixed_number_is_left_alone(scene: Scene, database: Database) -> None:
    await serve(database)
    async with database.transaction() as tx:
        await set_bounds(tx, "prj_1", "production", "web", (2, 3), "acc_1")
    await scene.run(10, 95)
    assert await desired(database) == 3
    async with database.transaction() as tx:
        await set_bounds(tx, "prj_1", "production", "web", (4, 4), "acc_1")
    await scene.run(10, 0)
    assert await desired(database) == 4


async def test_the_load_of_the_release_before_counts_for_its_successor(scene: Scene, database: Database) -> None:
    await serve(database)
    await scene.run(60, 95)
    await database.execute("update deployments set state = 'INACTIVE', updated_at = now() where id = 'dep_1'")
    await serve(database, "rel_2")
    await scene.run(30, 1, "rel_2")
    assert await desired(database) == 5


async def test_only_one_orchestrator_scales(scene: Scene, database: Database) -> None:
    await serve(database)
    other = Leases(database, "orchestrator-2", 60)
    lease = await other.acquire(*TASK)
    assert lease is not None
    await scene.run(10, 95)
    assert await desired(database) is None
    await other.release(lease)
    await scene.run(10, 95)
    assert await desired(database) == 5


async def test_of_all_that_ask_one_wakes_it(database: Database) -> None:
    await serve(database, state="asleep")
    wakers = [Scene(database) for _ in range(4)]
    woken = await asyncio.gather(*(scene.waker.wake("rel_1") for scene in wakers for _ in range(25)))
    assert woken.count(True) == 1
    assert sum(scene.looks for scene in wakers) == 1
    assert (await desired(database), await state(database)) == (1, "waking")


async def test_who_is_switched_off_replaced_or_awake_is_not_woken(scene: Scene, database: Database) -> None:
    await serve(database, state="asleep")
    await serve(database, "rel_2", "prj_2")
    async with database.transaction() as tx:
        await set_bounds(tx, "prj_1", "production", "web", (0, 0), "acc_1")
    assert not await scene.waker.wake("rel_1")
    assert not await scene.waker.wake("rel_2")
    assert not await scene.waker.wake("rel_none")
    await database.execute("update deployments set state = 'INACTIVE' where id = 'dep_1'")
    async with database.transaction() as tx:
        await set_bounds(tx, "prj_1", "production", "web", None, "acc_1")
    assert not await scene.waker.wake("rel_1")
    assert await state(database) == "asleep"


async def tell(redis: Redis, event: Event) -> None:
    await redis.xadd("activity", {"e": Envelope(event, key="k").encode()})


@pytest.mark.usefixtures("relay")
async def test_what_routers_tell_reaches_signals_and_waker(redis: Redis, relay: OutboxRelay) -> None:
    woken: list[str] = []
    gate = asyncio.Event()

    async def wake(release: str) -> None:
        woken.append(release)
        await gate.wait()

    watch = ActivityWatch(redis, wake)
    await tell(redis, WakeRequested("rel_old", "router_1"))
    watch.start()
    async with asyncio.timeout(10):
        while not watch.signals.total("rel_1").requests:  # it begins with what comes from now on
            await tell(redis, ActivityReported("router_1", 1.0, [ReleaseActivity("rel_1", 4).wire()]))
            await asyncio.sleep(0.05)
    await redis.xadd("activity", {"e": b"nonsense"})
    await tell(redis, ActivityReported("router_1", 1.0, [{"mood": 1}]))
    for _ in range(3):
        await tell(redis, WakeRequested("rel_1", "router_1"))
    async with asyncio.timeout(10):
        while not woken:
            await asyncio.sleep(0.01)
    await tell(redis, ActivityReported("router_2", 1.0, [ReleaseActivity("rel_2", 7).wire()]))
    async with asyncio.timeout(10):
        while not watch.signals.total("rel_2").requests:
            await asyncio.sleep(0.01)
    assert woken == ["rel_1"]  # as long as it is being woken it is not woken again
    gate.set()
    await watch.stop()
