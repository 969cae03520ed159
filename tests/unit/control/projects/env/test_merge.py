"""Which value counts where: the rule said once more, by brute force, for all orders of rows."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control.projects.env.merge import PHASES, EnvVar, Phase, layers_of, merged, shown

ENVIRONMENTS = ("production", "preview/a", "preview/b/c")
TARGETS = ("all", "preview", *ENVIRONMENTS)
AT = datetime(2026, 1, 1, tzinfo=UTC)


def var(name: str, value: str, environment: str = "all", scope: str = "all") -> EnvVar:
    return EnvVar(name, value, scope, environment, False, AT)


# One row for each name and target, as the table's key has it.
rows = st.dictionaries(
    st.tuples(st.sampled_from("ABC"), st.sampled_from(TARGETS)),
    st.tuples(st.sampled_from(("all", "build", "run")), st.integers(0, 9).map(str)),
).map(lambda held: [var(name, value, target, scope) for (name, target), (scope, value) in held.items()])


@given(rows, st.sampled_from(ENVIRONMENTS), st.sampled_from(PHASES), st.randoms(use_true_random=False))
def test_the_most_telling_value_that_is_for_it_counts(
    given_rows: list[EnvVar], environment: str, phase: Phase, random: object
) -> None:
    held = {(one.name, one.environment): one for one in given_rows}
    expected = {}
    for name in "ABC":
        for target in (environment, "preview" if environment.startswith("preview/") else "", "all"):
            one = held.get((name, target))
            if one is not None and one.scope in ("all", phase):
                expected[name] = one.value
                break
    mixed = list(given_rows)
    random.shuffle(mixed)  # type: ignore[attr-defined]  # of random.Random
    assert {name: one.value for name, one in merged(mixed, environment, phase).items()} == expected


@given(rows, st.sampled_from(ENVIRONMENTS))
def test_what_is_shown_is_what_builds_and_processes_get(given_rows: list[EnvVar], environment: str) -> None:
    found = shown(given_rows, environment)
    both = [one for phase in PHASES for one in merged(given_rows, environment, phase).values()]
    assert {(one.name, one.environment) for one in found} == {(one.name, one.environment) for one in both}
    assert len(found) == len({(one.name, one.environment) for one in found})
    assert found == sorted(found, key=lambda one: (one.name, one.environment))


@pytest.mark.parametrize(
    ("environment", "layers"),
    [
        ("production", ("all", "production")),
        ("preview/fix/a", ("all", "preview", "preview/fix/a")),
    ],
)
def test_layers_go_from_the_least_telling(environment: str, layers: tuple[str, ...]) -> None:
    assert layers_of(environment) == layers


def test_a_value_for_builds_only_leaves_what_runs_alone() -> None:
    held = [var("A", "everywhere"), var("A", "built", "production", "build")]
    assert merged(held, "production", "build")["A"].value == "built"
    assert merged(held, "production", "run")["A"].value == "everywhere"


def test_previews_get_nothing_of_production_and_of_each_other() -> None:
    held = [var("A", "1", "production"), var("B", "2", "preview/a")]
    assert merged(held, "preview/b", "run") == {}


def test_a_variable_has_no_repr_of_its_value() -> None:
    assert "hunter2" not in repr(var("A", "hunter2"))
