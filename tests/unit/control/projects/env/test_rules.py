import pytest

from control.projects.env.rules import COUNT, VALUE_BYTES, check_change, check_total
from kernel.errors import ShipoffError


def test_ordinary_variables_pass() -> None:
    check_change({"A": "", "_x": "1", "DATABASE_URL": "postgres://…", "NODE_ENV": "production", "B": "x" * VALUE_BYTES})


@pytest.mark.parametrize("name", ["", "1A", "A-B", "A B", "A=B", "Ä", "A\n", "x" * 129])
def test_names_that_no_shell_knows_are_refused(name: str) -> None:
    with pytest.raises(ShipoffError, match="ENV_NAME_INVALID"):
        check_change({name: "x"})


@pytest.mark.parametrize("name", ["PORT", "PATH", "HOME", "SHIPOFF_TOKEN", "shipoff_x"])
def test_what_the_platform_sets_is_refused_with_a_hint(name: str) -> None:
    with pytest.raises(ShipoffError) as caught:
        check_change({name: "secret-value"})
    assert caught.value.code == "ENV_NAME_RESERVED"
    assert caught.value.hint
    assert "secret-value" not in str(caught.value)


@pytest.mark.parametrize("value", ["a\0b", "x" * (VALUE_BYTES + 1), "é" * (VALUE_BYTES // 2 + 1)])
def test_values_that_no_process_can_get_are_refused_unseen(value: str) -> None:
    with pytest.raises(ShipoffError, match="ENV_VALUE_INVALID") as caught:
        check_change({"A": value})
    assert value not in str(caught.value)


def test_the_sum_is_limited() -> None:
    check_total([(f"N{number}", "x") for number in range(COUNT)])
    with pytest.raises(ShipoffError, match="ENV_TOO_LARGE"):
        check_total([(f"N{number}", "x") for number in range(COUNT + 1)])
    with pytest.raises(ShipoffError, match="ENV_TOO_LARGE"):
        check_total([(f"N{number}", "x" * VALUE_BYTES) for number in range(9)])
