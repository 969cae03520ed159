"""Which endpoint is picked."""

from __future__ import annotations

from router.core.balance import Endpoint, pick


def some(count: int) -> list[Endpoint]:
    return [Endpoint(f"tcp:h:{n}", f"i{n}") for n in range(count)]


def test_the_less_busy_of_two_is_picked() -> None:
    busy, free = some(2)
    busy.in_flight = 5
    assert all(pick([busy, free], 0.0) is free for _ in range(20))


def test_weight_counts_against_requests_in_flight() -> None:
    small, large = some(2)
    large.weight, large.in_flight, small.in_flight = 10, 5, 1
    assert all(pick([small, large], 0.0) is large for _ in range(20))


def test_between_equals_the_heavier_one_is_likelier() -> None:
    small, large = some(2)
    large.weight = 9
    picked = [pick([small, large], 0.0) for _ in range(2000)]
    assert 100 <= picked.count(small) <= 320


def test_all_that_are_alike_get_the_same() -> None:
    endpoints = some(5)
    picked = [pick(endpoints, 0.0) for _ in range(5000)]
    assert all(850 <= picked.count(e) <= 1150 for e in endpoints)
    endpoints[0].aside_until = 1.0
    picked = [pick(endpoints, 0.0) for _ in range(4000)]
    assert not picked.count(endpoints[0])
    assert all(850 <= picked.count(e) <= 1150 for e in endpoints[1:])


def test_one_that_is_set_aside_is_not_picked_until_its_time() -> None:
    bad, good = some(2)
    bad.aside_until = 10.5
    assert all(pick([bad, good], 10.4) is good for _ in range(20))
    assert {pick([bad, good], 10.5) for _ in range(50)} == {bad, good}


def test_when_all_are_set_aside_one_is_picked_all_the_same() -> None:
    endpoints = some(3)
    for endpoint in endpoints:
        endpoint.aside_until = 1.0
    assert pick(endpoints, 0.1) in endpoints
    assert pick(endpoints[:1], 0.1) is endpoints[0]


def test_what_was_tried_is_not_picked_again() -> None:
    endpoints = some(3)
    assert pick(endpoints, 0.0, endpoints[:2]) is endpoints[2]
    assert pick(endpoints, 0.0, endpoints) is None
    assert pick([], 0.0) is None


def test_an_endpoint_without_weight_gets_nothing() -> None:
    none, other = some(2)
    none.weight = 0
    assert all(pick([none, other], 0.0) is other for _ in range(20))
