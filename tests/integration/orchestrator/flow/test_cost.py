"""What a switch cost is measured when it is over, by whoever looks next."""

from __future__ import annotations

from typing import Any

from redis.asyncio import Redis

from kernel.activity import ReleaseActivity
from kernel.database import Database
from kernel.events import ActivityReported, Envelope
from orchestrator.release.cost import SwitchCost
from orchestrator.release.measured import Measurements


async def switched(database: Database, release: str, before: str, ago_s: float, state: str = "LIVE") -> None:
    await database.execute(
        "insert into deployments (id, project_id, environment, state, release_id, previous_route, flipped, flipped_at)"
        " values ($1, $6, 'production', $2, $3, $4, true, now() - make_interval(secs => $5))",
        release.replace("rel", "dep"), state, release, {"release": before} if before else None, ago_s,
        release.replace("rel", "prj"),
    )  # fmt: skip


async def report(redis: Redis, ago_s: float, *releases: ReleaseActivity) -> None:
    seconds, micros = await redis.time()
    at = seconds * 1000 + micros // 1000 - round(ago_s * 1000)
    event = ActivityReported("router_1", 1.0, [one.wire() for one in releases])
    await redis.xadd("activity", {"e": Envelope(event, key="router_1").encode()}, id=f"{at}-*")


async def measured(database: Database, deployment: str) -> dict[str, Any]:
    return dict(await database.fetchval("select measured from deployments where id = $1", deployment))


async def test_both_releases_count_from_the_flip_on(database: Database, redis: Redis) -> None:
    await switched(database, "rel_2", "rel_1", ago_s=6)
    await report(redis, 8, ReleaseActivity("rel_1", 100, failed=5))  # before the flip
    await report(redis, 5, ReleaseActivity("rel_1", 7, retried=1), ReleaseActivity("rel_9", 50))
    await report(redis, 4, ReleaseActivity("rel_2", 9, held=2, failed=1, upstream_5xx=3))
    await SwitchCost(database, Measurements(redis), within_s=30).measure()
    assert await measured(database, "dep_2") == {
        "requests": 16, "retried": 1, "held": 2, "failed": 1, "upstream_5xx": 3,
    }  # fmt: skip


async def test_requests_of_the_release_before_are_waited_for_within_a_bound(database: Database, redis: Redis) -> None:
    await switched(database, "rel_2", "rel_1", ago_s=6)
    await report(redis, 1, ReleaseActivity("rel_1", in_flight=1))
    await SwitchCost(database, Measurements(redis), within_s=30).measure()
    assert await measured(database, "dep_2") == {}
    await SwitchCost(database, Measurements(redis), within_s=2).measure()
    assert (await measured(database, "dep_2"))["requests"] == 0


async def test_what_is_too_fresh_unfinished_measured_or_forgotten_is_left_alone(
    database: Database, redis: Redis
) -> None:
    await switched(database, "rel_1", "", ago_s=1)
    await switched(database, "rel_2", "", ago_s=5, state="PROVISIONING")
    await switched(database, "rel_3", "", ago_s=70)
    await switched(database, "rel_4", "", ago_s=5)
    await database.execute("update deployments set measured = $1 where id = 'dep_4'", {"requests": 1})
    await SwitchCost(database, Measurements(redis), within_s=30).measure()
    found = [await measured(database, f"dep_{n}") for n in range(1, 5)]
    assert found == [{}, {}, {}, {"requests": 1}]
