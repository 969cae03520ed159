"""How many instances a process is to have, from the plan and from what somebody set."""

from typing import Any

import pytest

from orchestrator.build.plan import BuildPlan
from orchestrator.build.running import Process, Scaling
from orchestrator.scaling import Scale, scales_of


def plan(least: int = 1, most: int = 1) -> BuildPlan:
    workers = (Process("mail", "python mail.py", instances=2),)
    return BuildPlan("custom", "dynamic", run="serve", scaling=Scaling(min=least, max=most), workers=workers)


def row(desired: int, least: int | None = None, most: int | None = None, process: str = "web") -> dict[str, Any]:
    return {"process": process, "desired": desired, "least": least, "most": most}


def test_without_a_row_the_plan_decides() -> None:
    assert scales_of([], plan(2, 5)) == {"web": Scale(2, 5, 2), "mail": Scale(2, 2, 2)}


def test_a_new_app_that_may_sleep_begins_awake() -> None:
    assert scales_of([], plan(0, 5))["web"] == Scale(0, 5, 1)


@pytest.mark.parametrize(
    ("desired", "becomes"), [(0, 1), (1, 1), (3, 3), (9, 5)], ids=["too few", "least", "between", "too many"]
)
def test_what_is_wanted_is_kept_within_the_plans_bounds(desired: int, becomes: int) -> None:
    assert scales_of([row(desired)], plan(1, 5))["web"] == Scale(1, 5, becomes)


def test_bounds_set_by_hand_stand_above_the_plans() -> None:
    assert scales_of([row(4, 3, 6), row(1, 0, 1, "mail")], plan(1, 2)) == {
        "web": Scale(3, 6, 4),
        "mail": Scale(0, 1, 1),
    }


def test_what_is_switched_off_is_not_woken() -> None:
    scale = scales_of([row(1, 0, 0)], plan(1, 2))["web"]
    assert (scale.desired, scale.may_wake) == (0, False)


def test_a_row_of_a_process_that_the_release_has_not_is_passed_over() -> None:
    assert list(scales_of([row(7, process="gone")], plan())) == ["web", "mail"]
