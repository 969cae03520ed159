"""For how long pooled connections idle."""

from __future__ import annotations

from math import inf

from router.core.balance import Endpoint
from router.core.idle import closed_by_app, lasted, told


def test_what_the_app_says_is_undercut() -> None:
    assert [told(timeout_s) for timeout_s in (0, 1, 5, 75)] == [0, 0.5, 4, 74]


def test_what_it_does_is_learned_step_by_step() -> None:
    endpoint = Endpoint("tcp:h:1", "i1")
    for now in range(1, 6):
        closed_by_app(endpoint, 1.0, 4.0, float(now))
    assert endpoint.idle_s == 0.8


def test_an_app_that_ends_teaches_little() -> None:
    endpoint = Endpoint("tcp:h:1", "i1")
    for _ in range(100):
        closed_by_app(endpoint, 0.01, 4.0, 7.0)
    assert endpoint.idle_s == 2.0


def test_one_that_closes_later_than_we_do_teaches_nothing() -> None:
    endpoint = Endpoint("tcp:h:1", "i1")
    closed_by_app(endpoint, 5.0, 4.0, 7.0)
    assert endpoint.idle_s == inf


def test_connections_that_last_teach_the_other_way() -> None:
    endpoint = Endpoint("tcp:h:1", "i1")
    endpoint.idle_s = 0.1
    steps = 0
    while endpoint.idle_s != inf:
        lasted(endpoint, 4.0)
        steps += 1
    assert 5 < steps < 50
