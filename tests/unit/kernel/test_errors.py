import pytest

from kernel.errors import KINDS, NOT_FOUND, UNAVAILABLE, define, reason_of


def test_an_error_carries_what_a_reader_needs() -> None:
    error = NOT_FOUND("no such thing", hint="look elsewhere", retry_after_s=7)
    assert error.retry_after_s == 7
    assert (error.code, error.status, error.source, error.retryable) == ("NOT_FOUND", 404, "client", False)
    assert str(error) == "NOT_FOUND: no such thing (look elsewhere)"


def test_a_code_declared_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="twice"):
        define("NOT_FOUND")


def test_a_code_is_upper_case() -> None:
    with pytest.raises(ValueError, match="upper case"):
        define("notFound")
    assert "notFound" not in KINDS


def test_only_our_own_words_are_kept_of_a_failure() -> None:
    assert reason_of(UNAVAILABLE("Redis is away"), 20) == "UNAVAILABLE: Redis i"
    assert reason_of(KeyError("hunter2")) == "KeyError"
