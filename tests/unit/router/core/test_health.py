"""When an endpoint is set aside and how it comes back, driven by a clock of the test's own."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from kernel.errors import ShipoffError
from router.core.balance import Endpoint, pick
from router.core.health import (
    DEFAULT,
    LONGEST_ASIDE_S,
    Health,
    answered,
    dial_failed,
    dial_worked,
    failed,
    probed,
    probing,
)
from router.core.reading import Reader


def some(count: int) -> list[Endpoint]:
    return [Endpoint(f"tcp:h:{n}", f"i{n}") for n in range(count)]


def made(**fields: object) -> Health:
    return Health(Reader(fields, "health"))


def test_a_failed_dial_sets_aside_at_once() -> None:
    bad, good = some(2)
    assert dial_failed(bad, [bad, good], 10.0)
    assert 10.4 <= bad.aside_until <= 10.6
    assert all(pick([bad, good], 10.2) is good for _ in range(20))


def test_failures_of_answers_must_come_in_a_row() -> None:
    bad, good = some(2)
    for _ in range(10):
        for _ in range(4):
            assert not failed(bad, [bad, good], 10.0)
        answered(bad, 10.0)
    for _ in range(4):
        assert not failed(bad, [bad, good], 10.0)
    assert failed(bad, [bad, good], 10.0)
    assert bad.aside_until > 10.0


def test_the_last_one_is_never_set_aside() -> None:
    endpoints = some(3)
    assert [dial_failed(e, endpoints, 1.0) for e in endpoints] == [True, True, False]
    alone = some(1)
    assert not dial_failed(alone[0], alone, 1.0)


def test_one_without_weight_is_no_reason_to_set_the_other_aside() -> None:
    one, none = some(2)
    none.weight = 0
    assert not dial_failed(one, [one, none], 1.0)


def test_answers_set_at_most_a_share_aside() -> None:
    endpoints = some(5)
    set_aside = [e for e in endpoints if any(failed(e, endpoints, 1.0) for _ in range(5))]
    assert len(set_aside) == 2
    assert [dial_failed(e, endpoints, 1.0) for e in endpoints[2:]] == [True, True, False]


def test_a_rule_widens_and_switches_off() -> None:
    bad, good = some(2)
    assert failed(bad, [bad, good], 1.0, made(streak=1, statuses=[500, 503]))
    other, good = some(2)
    assert not dial_failed(other, [other, good], 1.0, made(eject=False))
    assert not any(failed(other, [other, good], 1.0, made(eject=False)) for _ in range(50))
    assert made(statuses=[]).statuses == frozenset()
    assert DEFAULT.statuses == {502, 503, 504}


@pytest.mark.parametrize(
    "fields", [{"path": "no"}, {"path": "/a b"}, {"statuses": [404]}, {"statuses": 500}, {"streak": 0}, {"share": 2}]
)
def test_a_wrong_rule_is_refused(fields: dict[str, object]) -> None:
    with pytest.raises(ShipoffError, match="health"):
        made(**fields)


def test_the_backoff_doubles_to_its_limit_and_begins_anew_after_a_quiet_time() -> None:
    bad, good = some(2)
    now, last = 10.0, 0.0
    for _ in range(12):
        assert dial_failed(bad, [bad, good], now)
        backoff = bad.ends - now
        assert backoff <= LONGEST_ASIDE_S * 1.2
        assert backoff > last * 1.2 or backoff > LONGEST_ASIDE_S * 0.7
        last, now = backoff, bad.ends
    now = bad.steady_at + 0.1
    assert dial_failed(bad, [bad, good], now)
    assert bad.ends - now <= 0.6


def test_a_connection_proves_what_a_dial_had_disproved() -> None:
    bad, good = some(2)
    dial_failed(bad, [bad, good], 10.0)
    probing(bad, 10.1, 3.0)
    assert bad.aside_until == 13.1
    assert probed(bad, good=True, proves=False, now=10.2)
    assert pick([bad], 10.2, (good,)) is bad
    other, good = some(2)
    dial_failed(other, [other, good], 10.0)
    dial_worked(other)
    assert (other.failures, other.aside_until) == (0, 0.0)


def test_a_connection_does_not_prove_answers_before_the_backoff_is_over() -> None:
    bad, good = some(2)
    assert any(failed(bad, [bad, good], 10.0) for _ in range(5))
    assert not probed(bad, good=True, proves=False, now=10.1)
    assert bad.aside_until == bad.ends
    assert bad.probe_at <= bad.ends
    assert probed(bad, good=True, proves=False, now=bad.ends)


def test_a_health_path_proves_answers_before() -> None:
    bad, good = some(2)
    assert any(failed(bad, [bad, good], 10.0) for _ in range(5))
    assert probed(bad, good=True, proves=True, now=10.1)


def test_on_trial_one_failure_is_enough_and_one_good_answer_ends_it() -> None:
    bad, good = some(2)
    dial_failed(bad, [bad, good], 10.0)
    probed(bad, good=True, proves=False, now=10.1)
    assert failed(bad, [bad, good], 10.2)
    assert bad.ends - 10.2 > 0.75
    answered(bad, bad.ends)
    assert not bad.trial
    assert not failed(bad, [bad, good], bad.ends)


def test_a_probe_that_fails_at_the_end_sets_aside_for_longer() -> None:
    bad, good = some(2)
    dial_failed(bad, [bad, good], 10.0)
    ends = bad.ends
    assert not probed(bad, good=False, proves=False, now=10.1)
    assert bad.ends == ends
    assert not probed(bad, good=False, proves=False, now=ends)
    assert bad.ends - ends > 0.75


class Ejection(RuleBasedStateMachine):
    """Whatever happens to the instances of a release, somebody serves, and nobody is lost for ever."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 100.0
        self.endpoints = some(4)

    which = st.integers(0, 3)

    @rule(n=which)
    def a_dial_fails(self, n: int) -> None:
        dial_failed(self.endpoints[n], self.endpoints, self.now)

    @rule(n=which, times=st.integers(1, 8))
    def answers_are_bad(self, n: int, times: int) -> None:
        before = sum(e.aside_until > self.now for e in self.endpoints)
        for _ in range(times):
            if failed(self.endpoints[n], self.endpoints, self.now):
                assert before < 2
                break

    @rule(n=which)
    def an_answer_is_good(self, n: int) -> None:
        if self.endpoints[n].streak:
            answered(self.endpoints[n], self.now)

    @rule(n=which, good=st.booleans(), proves=st.booleans(), takes=st.floats(0, 4))
    def a_probe_runs(self, n: int, good: bool, proves: bool, takes: float) -> None:
        endpoint = self.endpoints[n]
        if endpoint.aside_until > self.now >= endpoint.probe_at:
            probing(endpoint, self.now, 4.0)
            self.now += takes
            if probed(endpoint, good, proves, self.now):
                assert good
                assert endpoint.aside_until <= self.now

    @rule(seconds=st.floats(0.01, 40))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @precondition(lambda self: len(self.endpoints) > 1)
    @rule(n=which)
    def the_weights_change(self, n: int) -> None:
        self.endpoints[n].weight = 1 - self.endpoints[n].weight
        if not any(e.weight for e in self.endpoints):
            self.endpoints[n].weight = 1

    @invariant()
    def somebody_serves(self) -> None:
        assert pick(self.endpoints, self.now) is not None

    @invariant()
    def everybody_comes_back(self) -> None:
        for endpoint in self.endpoints:
            assert endpoint.aside_until <= self.now + LONGEST_ASIDE_S * 1.2 + 0.01
            if endpoint.aside_until > self.now:
                assert endpoint.probe_at <= endpoint.aside_until
                assert endpoint.trial


TestEjection = Ejection.TestCase
TestEjection.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
