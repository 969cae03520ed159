"""The queue of a live view: bounded, counted, and honest about what it saw."""

from __future__ import annotations

import asyncio

import pytest

from kernel import tasks
from kernel.errors import ShipoffError
from logsink.lines import Line, Query, Stored
from logsink.tail.follower import Arrival, Follower, Lost
from logsink.tail.hub import FOLLOWERS_A_PROJECT, Hub


def stored(before: int, *texts: str, deployment: str = "dep_1") -> Stored:
    return Stored(
        "prj_a",
        before,
        [Line(1, "prj_a", deployment, "", "run", "stdout", text, before + 1 + n) for n, text in enumerate(texts)],
    )


async def drain(follower: Follower) -> list[Arrival]:
    taken = []
    while (arrival := await follower.take(0.01)) is not None:
        taken.append(arrival)
    return taken


async def test_lines_arrive_in_order_with_their_range() -> None:
    follower = Follower(Query("prj_a"), 10_000)
    follower.offer(stored(0, "a", "b"))
    follower.offer(stored(2, "c"))
    first, second = await drain(follower)
    assert (first.before, first.last, [line.text for line in first.lines]) == (0, 2, ["a", "b"])
    assert (second.before, second.last, [line.text for line in second.lines]) == (2, 3, ["c"])


async def test_lines_of_others_take_no_room_but_move_the_range() -> None:
    follower = Follower(Query("prj_a", "dep_1"), 10_000)
    follower.offer(stored(0, "mine"))
    for n in range(1000):
        follower.offer(stored(1 + n, "not mine", deployment="dep_2"))
    (arrival,) = await drain(follower)
    assert (arrival.before, arrival.last, len(arrival.lines)) == (0, 1001, 1)


async def test_a_gap_in_what_was_seen_stays_visible() -> None:
    follower = Follower(Query("prj_a", "dep_1"), 10_000)
    follower.offer(stored(0, "x", deployment="dep_2"))
    follower.offer(stored(5, "x", deployment="dep_2"))  # 2 to 5 were stored by somebody else
    assert [(one.before, one.last) for one in await drain(follower)] == [(0, 1), (5, 6)]


async def test_a_slow_view_loses_the_oldest_lines_and_counts_them() -> None:
    follower = Follower(Query("prj_a"), 100 * (10 + 64))
    for n in range(500):
        follower.offer(stored(2 * n, "x" * 10, "y" * 10))
    kept = await drain(follower)
    assert len(kept) == 50
    assert follower.lost() == Lost(900, 900)
    assert kept[0].before == 900
    assert follower.lost() == Lost(0, 0)


async def test_one_batch_above_the_limit_is_still_shown() -> None:
    follower = Follower(Query("prj_a"), 10)
    follower.offer(stored(0, "x" * 1000))
    assert len(await drain(follower)) == 1
    assert follower.lost() == Lost(0, 0)


async def test_a_closed_view_ends_while_it_waits() -> None:
    follower = Follower(Query("prj_a"), 10)
    waiting = tasks.spawn(follower.take(30), "waiting view")
    await asyncio.sleep(0)
    follower.close()
    with pytest.raises(ShipoffError) as ended:
        await waiting
    assert ended.value.retryable


async def test_the_hub_offers_lines_to_their_project_only_and_forgets_who_left() -> None:
    hub = Hub(10_000)
    with hub.follow(Query("prj_a")) as mine, hub.follow(Query("prj_b")) as other:
        hub.publish(stored(0, "a"))
        assert len(await drain(mine)) == 1
        assert await drain(other) == []
    hub.publish(stored(1, "b"))
    assert await drain(mine) == []


def test_the_hub_bounds_the_views_of_a_project() -> None:
    hub = Hub(10)
    views = [hub.follow(Query("prj_a")) for _ in range(FOLLOWERS_A_PROJECT)]
    for view in views:
        view.__enter__()
    with pytest.raises(ShipoffError) as refused, hub.follow(Query("prj_a")):
        pass
    assert refused.value.code == "TOO_MANY_FOLLOWERS"
    with hub.follow(Query("prj_b")):
        pass
    views[0].__exit__(None, None, None)
    with hub.follow(Query("prj_a")):
        pass


def test_a_stopping_hub_takes_no_views() -> None:
    hub = Hub(10)
    hub.close()
    with pytest.raises(ShipoffError), hub.follow(Query("prj_a")):
        pass
