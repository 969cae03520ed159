import pytest

from control.gateway.git import story
from control.gateway.live.watch import Step
from kernel.deployments import State


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("plain", "plain"),
        ("\x1b[32mgreen\x1b[0m", "\x1b[32mgreen\x1b[0m"),
        ("10%\r50%\r100%", "100%"),
        ("done\r\n", "done"),
        ("\x1b[2J\x1b[Hgone", "gone"),
        ("\x1b]0;title\x07x", "0;titlex"),
        ("a\tb\x00\x08c", "a\tbc"),
        ("\x9b31mx", "31mx"),
        ("x" * 5000, "x" * 2000),
    ],
)
def test_a_build_cannot_rewrite_the_terminal(raw: str, shown: str) -> None:
    assert story.clean(raw) == shown


def test_a_failure_tells_all_that_is_known() -> None:
    step = Step(State.FAILED, "health", "HEALTH_TIMEOUT", "listen on $PORT", "no answer in 60 s", -15)
    text = "\n".join(story.ending(step, 3.0, was_live=True))
    for part in ("HEALTH_TIMEOUT", "health", "listen on $PORT", "no answer in 60 s", "killed by SIGTERM", "goes on"):
        assert part in text
    assert "goes on" not in "\n".join(story.ending(step, 3.0, was_live=False))


def test_the_answer_of_success_is_the_address() -> None:
    text = "\n".join(story.ending(Step(State.LIVE, "", url="http://a.localhost"), 1.23, was_live=False))
    assert "live at http://a.localhost  (1.2 s)" in text


def test_verdicts_are_one_line() -> None:
    for state in State:
        assert "\n" not in story.verdict(Step(state, ""))
    assert story.verdict(Step(State.FAILED, "", "X")) == "deployment failed: X"


def test_exit_statuses_are_readable() -> None:
    assert [story.exit_status(number) for number in (1, -9, -200)] == ["1", "killed by SIGKILL", "killed by signal 200"]
