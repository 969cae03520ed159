"""What may be sent again, and how often."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.core.balance import Endpoint
from router.core.head import read_request
from router.core.request import Request
from router.core.retry import (
    AGAIN,
    CLOSED_FRESH,
    CLOSED_REUSED,
    DIAL_FAILED,
    MAX_ATTEMPTS,
    NO,
    SPENT,
    UNTAKEN,
    Budget,
    may_repeat,
    verdict,
)

LIMITS = (10.0, 0.2, 1.0)


def make(method: str = "GET", length: int = 0, more: str = "") -> Request:
    body = f"Content-Length: {length}\r\n" if length else ""
    head = read_request(f"{method} / HTTP/1.1\r\nHost: a\r\n{body}{more}\r\n".encode())
    assert head is not None
    return Request(head, b"id", 0.0)


KEY = "Idempotency-Key: 1\r\n"


@pytest.mark.parametrize(
    ("request_", "failure", "kept", "again"),
    [
        (make("POST", 5), DIAL_FAILED, False, True),
        (make("GET"), DIAL_FAILED, True, True),
        (make("POST", 5), UNTAKEN, True, True),
        (make("POST", 5), UNTAKEN, False, False),
        (make("GET"), CLOSED_REUSED, True, True),
        (make("DELETE"), CLOSED_REUSED, True, True),
        (make("PUT", 5), CLOSED_REUSED, True, True),
        (make("PUT", 5), CLOSED_REUSED, False, False),
        (make("POST"), CLOSED_REUSED, True, False),
        (make("POST", 5), CLOSED_REUSED, True, False),
        (make("POST", 5, KEY), CLOSED_REUSED, True, True),
        (make("PATCH", 5, KEY), CLOSED_REUSED, True, True),
        (make("GET"), CLOSED_FRESH, True, False),
        (make("POST", 5, KEY), CLOSED_FRESH, True, False),
    ],
)
def test_what_may_be_sent_again(request_: Request, failure: int, kept: bool, again: bool) -> None:
    request_.attempts = 1
    assert may_repeat(request_, failure, kept, 0.0, 10.0) is again
    assert not may_repeat(request_, failure, kept, 10.1, 10.0)
    request_.attempts = MAX_ATTEMPTS
    assert not may_repeat(request_, failure, kept, 0.0, 10.0)


def test_the_time_counts_from_the_first_failure() -> None:
    request, budget = make(), Budget()
    assert verdict(request, CLOSED_REUSED, True, budget, 100.0, LIMITS) == AGAIN
    assert verdict(request, CLOSED_REUSED, True, budget, 109.9, LIMITS) == AGAIN
    assert verdict(request, CLOSED_REUSED, True, budget, 110.1, LIMITS) == NO


def test_an_empty_budget_says_so() -> None:
    budget = Budget()
    verdicts = [verdict(make(), CLOSED_REUSED, True, budget, 100.0, LIMITS) for _ in range(12)]
    assert verdicts == [AGAIN] * 10 + [SPENT] * 2


def test_the_first_retry_behind_a_failed_dial_is_free() -> None:
    budget = Budget()
    while budget.spend(0.2, 1.0, 100.0):
        pass
    request = make("POST", 5)
    request.tried = (Endpoint("tcp:h:1", "i1"),)
    assert verdict(request, DIAL_FAILED, False, budget, 100.0, LIMITS) == AGAIN
    request.tried += (Endpoint("tcp:h:2", "i2"),)
    assert verdict(request, DIAL_FAILED, False, budget, 100.0, LIMITS) == SPENT


def test_requests_fill_the_budget_and_time_empties_it() -> None:
    budget = Budget()
    while budget.spend(0.2, 0.0, 100.0):
        pass
    budget.requests += 100
    assert budget.left(0.2, 0.0, 101.0) == pytest.approx(20)
    assert budget.left(0.2, 0.0, 106.0) == pytest.approx(10)
    assert budget.left(0.2, 0.0, 200.0) == 0


@given(st.lists(st.tuples(st.integers(0, 50), st.floats(0, 3)), max_size=60))
def test_no_window_has_more_retries_than_its_budget(steps: list[tuple[int, float]]) -> None:
    budget, now, spent, times = Budget(), 0.0, 0, [0.0]
    for requests, pause in steps:
        budget.requests += requests
        now += pause
        while budget.spend(0.2, 1.0, now):
            spent += 1
            times.append(now)
    assert spent <= 10 + 0.2 * budget.requests + now + 1
