import asyncio

import pytest

from control.auth.limiting.rules import Rule
from control.auth.limiting.service import Limiter
from kernel.errors import ShipoffError

RULE = Rule("test", 2, 1)


async def test_tries_are_taken_given_back_and_come_again_with_time() -> None:
    limiter = Limiter(None)
    assert [await limiter.take(RULE, "ada") > 0 for _ in range(3)] == [False, False, True]
    assert await limiter.take(RULE, "eve") == 0
    await limiter.forget(RULE, "ada")
    await limiter.require(RULE, "ada")
    await limiter.require(RULE, "ada")
    with pytest.raises(ShipoffError, match=r"TOO_MANY_ATTEMPTS.*try again in 1 seconds") as caught:
        await limiter.require(RULE, "ada")
    assert (caught.value.status, caught.value.retryable, caught.value.retry_after_s) == (429, True, 1)
    await asyncio.sleep(1.1)
    await limiter.require(RULE, "ada")


async def test_parts_of_a_name_do_not_run_together() -> None:
    limiter = Limiter(None)
    for who in (("ab", "c"), ("a", "bc"), ("abc",), ("abc", "")):
        assert await limiter.take(Rule("test", 1, 60), *who) == 0
