import asyncio
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel import tasks
from kernel.errors import ShipoffError
from orchestrator.turns import Turn, Turns


class Site:
    """Builds that end when the test says so."""

    SETTLING = 5  # turns of the loop until who was handed a turn has begun

    def __init__(self, turns: Turns) -> None:
        self.turns = turns
        self.begun: list[str] = []
        self.building: list[Turn] = []
        self.waiting: list[asyncio.Task[None]] = []
        self._over = asyncio.Event()

    async def ask(self, tenant: str, most: int | None = None) -> None:
        self.waiting.append(tasks.spawn(self._build(tenant, most), tenant))
        await asyncio.sleep(0)

    async def _build(self, tenant: str, most: int | None) -> None:
        async with self.turns.take(tenant, most) as turn:
            self.begun.append(tenant)
            self.building.append(turn)
            await self._over.wait()

    async def end_one(self) -> None:
        self.building.pop(0).end()
        for _ in range(self.SETTLING):
            await asyncio.sleep(0)

    async def close(self) -> None:
        self._over.set()
        await tasks.stop(*self.waiting)


@pytest.fixture
def site() -> Site:
    return Site(Turns(1, 30.0))


async def test_tenants_are_served_in_turn_however_much_one_asks_for(site: Site) -> None:
    for tenant in ("busy", "busy", "busy", "busy", "small", "other", "small"):
        await site.ask(tenant)
    for _ in range(6):
        await site.end_one()
    await site.close()
    assert site.begun == ["busy", "busy", "small", "other", "busy", "small", "busy"]


async def test_no_more_than_allowed_build_at_once() -> None:
    site = Site(Turns(3, 30.0))
    for number in range(5):
        await site.ask(f"tenant-{number}")
    assert len(site.begun) == 3
    await site.close()


async def test_a_tenant_that_builds_as_much_as_its_plan_gives_is_passed_over() -> None:
    site = Site(Turns(3, 30.0))
    for tenant, most in (("small", 1), ("small", 1), ("big", 2), ("big", 2), ("other", None)):
        await site.ask(tenant, most)
    assert site.begun == ["small", "big", "big"]
    await site.end_one()  # of small: its second follows, though `other` came after it, for it waited first
    assert site.begun == ["small", "big", "big", "small"]
    await site.end_one()  # of big, which wants no more
    assert site.begun[4:] == ["other"]
    await site.close()


async def test_a_free_turn_is_not_kept_for_a_tenant_that_may_not_build_more() -> None:
    site = Site(Turns(2, 30.0))
    for tenant, most in (("small", 1), ("small", 1), ("other", None)):
        await site.ask(tenant, most)
    assert site.begun == ["small", "other"]
    await site.close()


async def test_a_tenant_whose_waiting_build_was_canceled_may_build_again() -> None:
    site = Site(Turns(2, 30.0))
    for _ in range(2):
        await site.ask("small", 1)
    await tasks.stop(site.waiting[1])
    await site.end_one()
    await site.ask("small", 1)
    assert site.begun == ["small", "small"]
    await site.close()


async def test_who_stops_waiting_is_passed_over_and_costs_no_place(site: Site) -> None:
    for tenant in ("first", "gone", "last"):
        await site.ask(tenant)
    await tasks.stop(site.waiting[1])
    await site.end_one()
    assert site.begun == ["first", "last"]
    await site.end_one()
    await site.ask("later")
    assert site.begun == ["first", "last", "later"]
    await site.close()


async def test_a_turn_that_comes_to_one_who_just_left_goes_on_to_the_next(site: Site) -> None:
    for tenant in ("first", "gone", "last"):
        await site.ask(tenant)
    site.building.pop(0).end()  # `gone` has it, and does not know it yet
    site.waiting[1].cancel()
    await asyncio.wait([site.waiting[1]])
    await asyncio.sleep(0.01)
    assert site.begun == ["first", "last"]
    await site.close()


async def test_a_turn_ends_once(site: Site) -> None:
    for tenant in ("one", "two", "three"):
        await site.ask(tenant)
    turn = site.building[0]
    await site.end_one()
    turn.end()
    await asyncio.sleep(0.01)
    assert site.begun == ["one", "two"]
    await site.close()


async def test_nobody_waits_for_ever() -> None:
    turns = Turns(1, 0.01)
    async with turns.take("one"):
        with pytest.raises(ShipoffError, match="QUEUE_TIMED_OUT"):
            async with turns.take("two"):
                pytest.fail("two build at once")
    async with turns.take("three"):
        pass


@given(st.lists(st.sampled_from("abc"), min_size=1, max_size=30))
def test_between_two_turns_of_a_tenant_every_other_that_waits_has_one(asked: list[str]) -> None:
    async def play() -> list[str]:
        site = Site(Turns(1, 30.0))
        await site.ask("holder")
        for tenant in asked:
            await site.ask(tenant)
        for _ in asked:
            await site.end_one()
        await site.close()
        return site.begun[1:]

    served = asyncio.run(play())
    assert sorted(served) == sorted(asked)
    for tenant in set(asked):
        places = [place for place, name in enumerate(served) if name == tenant]
        for before, after in pairwise(places):
            between = served[before + 1 : after]
            assert set(between) == {name for name in served[before + 1 :] if name != tenant}
