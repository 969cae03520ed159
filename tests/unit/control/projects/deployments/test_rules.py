from control.projects.deployments.lifecycle import allowed_from
from control.projects.deployments.rules import first_line
from kernel.deployments import State


def test_a_message_is_kept_by_its_first_line() -> None:
    assert first_line("  Fix it\n\nLong story") == "Fix it"
    assert first_line("") == ""
    assert len(first_line("x" * 1000)) == 200


def test_only_unfinished_states_may_be_reported_again() -> None:
    assert set(allowed_from(State.BUILDING)) == {"QUEUED", "BUILDING"}
    assert set(allowed_from(State.LIVE)) == {"PROVISIONING", "INACTIVE"}
    assert set(allowed_from(State.FAILED)) == {"QUEUED", "BUILDING", "PROVISIONING"}
