from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from kernel.deployments import (
    ANSWERED,
    BUILT,
    MOVES,
    UNFINISHED,
    Kind,
    State,
    diagram,
    may_move,
    situations,
    sources_of,
    table,
)

PAGE = Path(__file__).parents[3] / "docs" / "deployment-states.md"


@given(st.lists(st.sampled_from(State), max_size=30))
def test_whatever_is_asked_in_whatever_order_a_deployment_never_goes_back_to_work(asked: list[State]) -> None:
    state, answered = State.QUEUED, False
    for to in asked:
        if may_move(state, to):
            state = to
        answered = answered or state in ANSWERED
        assert not (answered and state in UNFINISHED)


def test_a_move_stands_once_in_the_table_and_its_sources_are_it_read_backwards() -> None:
    pairs = [(move.source, move.to) for move in MOVES]
    assert len(pairs) == len(set(pairs))
    assert {(State(source), to) for to in State for source in sources_of(to)} == set(pairs)


def test_only_what_served_can_serve_again_and_an_end_is_an_end() -> None:
    assert sources_of(State.LIVE) == ["PROVISIONING", "INACTIVE"]
    assert not [move for move in MOVES if move.source in (State.FAILED, State.CANCELED, State.SUPERSEDED)]


def test_every_unfinished_state_can_fail_and_a_failure_has_a_reason() -> None:
    failing = [move for move in MOVES if move.to is State.FAILED]
    assert {move.source for move in failing} == UNFINISHED
    assert all(move.reason for move in failing)


def test_what_the_routes_point_at_ends_live_or_is_unflipped_first() -> None:
    for to in (State.FAILED, State.CANCELED, State.SUPERSEDED):
        assert not [situation for situation in situations(to) if situation.endswith("/true")]
    assert "PROVISIONING/build/true" in situations(State.LIVE)
    assert "PROVISIONING/build/false" not in situations(State.LIVE)


def test_only_a_build_builds_and_everything_else_goes_straight_to_its_release() -> None:
    assert situations(State.BUILDING) == ["QUEUED/build/false"]
    straight = [f"QUEUED/{kind}/false" for kind in Kind if kind not in BUILT]
    assert situations(State.PROVISIONING) == [*straight, "BUILDING/build/false"]


def test_the_pictures_in_the_docs_are_fresh() -> None:
    page = PAGE.read_text()
    assert diagram() in page
    assert table() in page
