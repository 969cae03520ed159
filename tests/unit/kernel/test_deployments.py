from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from kernel.deployments import ANSWERED, MOVES, UNFINISHED, State, diagram, may_move, sources_of


@given(st.lists(st.sampled_from(State), max_size=30))
def test_whatever_is_asked_in_whatever_order_a_deployment_never_goes_back_to_work(asked: list[State]) -> None:
    state, answered = State.QUEUED, False
    for to in asked:
        if may_move(state, to):
            state = to
        answered = answered or state in ANSWERED
        assert not (answered and state in UNFINISHED)


def test_the_sources_of_a_state_are_the_moves_read_backwards() -> None:
    for to in State:
        assert sources_of(to) == [state.value for state in State if to in MOVES[state]]


def test_only_what_served_can_serve_again() -> None:
    assert sources_of(State.LIVE) == ["PROVISIONING", "INACTIVE"]
    assert not MOVES[State.FAILED]


def test_the_diagram_in_the_docs_is_fresh() -> None:
    page = Path(__file__).parents[3] / "docs" / "deployment-states.md"
    assert diagram() in page.read_text()
