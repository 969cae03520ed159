import pytest

from stack.cli.client.failures import Exit, Failure, of_problem, reported


@pytest.mark.parametrize(
    ("http", "status"),
    [(401, Exit.AUTH), (404, Exit.NOT_FOUND), (422, Exit.USAGE), (503, Exit.UNREACHABLE), (500, Exit.FAILED)],
)
def test_answers_have_exit_statuses(http: int, status: Exit) -> None:
    failure = of_problem(http, {"code": "X", "detail": "d", "hint": "h", "request_id": "req_1"})
    assert (failure.code, failure.hint, failure.status) == ("X", "h", status)
    assert ("req_1" in failure.detail) == (http >= 500)


def test_a_failure_is_two_lines_and_a_status(capsys: pytest.CaptureFixture[str]) -> None:
    @reported
    def command() -> None:
        raise Failure("CODE", "what happened", "next step", Exit.NOT_FOUND)

    with pytest.raises(SystemExit) as caught:
        command()
    assert caught.value.code == 4
    assert capsys.readouterr().err == "error: what happened [CODE]\nhint: next step\n"
