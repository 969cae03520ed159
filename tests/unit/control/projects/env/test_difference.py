"""What a file changes: every name in one list, and nothing told of secrets."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from control.projects.env.difference import Difference, difference
from control.projects.env.merge import EnvVar

AT = datetime(2026, 1, 1, tzinfo=UTC)
held = st.dictionaries(st.sampled_from("ABCDE"), st.tuples(st.sampled_from("12"), st.booleans()))
wishes = st.dictionaries(st.sampled_from("ABCDE"), st.sampled_from("12"))


def variables(values: dict[str, tuple[str, bool]]) -> list[EnvVar]:
    return [EnvVar(name, value, "all", "all", secret, AT) for name, (value, secret) in values.items()]


@given(held, wishes, st.booleans())
def test_each_name_is_in_one_list(before: dict[str, tuple[str, bool]], wanted: dict[str, str], replace: bool) -> None:
    found = difference(variables(before), wanted, replace=replace)
    lists = (found.added, found.changed, found.unchanged, found.removed)
    named = [name for names in lists for name in names]
    gone = {name for name, (_, secret) in before.items() if name not in wanted and not secret}
    assert sorted(named) == sorted({*wanted, *(gone if replace else ())})
    for name in found.unchanged:
        assert before[name] == (wanted[name], False)
    for name in found.removed:
        assert not before[name][1]


@given(held, wishes)
def test_of_a_secret_nobody_learns_whether_a_guess_is_right(
    before: dict[str, tuple[str, bool]], wanted: dict[str, str]
) -> None:
    other = {name: ("3" if secret else value, secret) for name, (value, secret) in before.items()}
    assert difference(variables(before), wanted) == difference(variables(other), wanted)


def test_another_scope_or_secrecy_is_a_change() -> None:
    before = variables({"A": ("1", False)})
    assert difference(before, {"A": "1"}) == Difference((), (), ("A",), ())
    assert difference(before, {"A": "1"}, scope="all", secret=False).unchanged == ("A",)
    assert difference(before, {"A": "1"}, scope="build").changed == ("A",)
    assert difference(before, {"A": "1"}, secret=True).changed == ("A",)
