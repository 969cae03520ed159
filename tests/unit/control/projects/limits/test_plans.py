from __future__ import annotations

from dataclasses import asdict, fields

import pytest

from control.projects.limits.plans import DEFAULT, NO_LIMIT, PLANS, Limits, plan
from kernel.errors import ShipoffError
from orchestrator.plan_limits import PlanLimits


def test_the_default_limits_nothing() -> None:
    assert set(asdict(plan(DEFAULT)).values()) == {NO_LIMIT}
    assert plan(DEFAULT).for_orchestrator() == {}


def test_a_greater_plan_gives_no_less_of_anything() -> None:
    hobby, pro = asdict(PLANS["hobby"]), asdict(PLANS["pro"])
    assert all(NO_LIMIT < hobby[name] <= pro[name] for name in hobby)


def test_overrides_replace_single_limits() -> None:
    limits = plan("hobby").with_overrides({"projects": 99, "domains": NO_LIMIT, "builds": 0})
    assert (limits.projects, limits.domains, limits.builds) == (99, NO_LIMIT, 0)
    assert limits.build_minutes == PLANS["hobby"].build_minutes


@pytest.mark.parametrize("overrides", [{"spaceships": 1}, {"projects": -2}, {"projects": 1 << 60}])
def test_what_is_no_limit_is_refused(overrides: dict[str, int]) -> None:
    with pytest.raises(ShipoffError, match="LIMIT_UNKNOWN"):
        plan("pro").with_overrides(overrides)


def test_an_unknown_plan_is_refused() -> None:
    with pytest.raises(ShipoffError, match="PLAN_UNKNOWN"):
        plan("enterprise")


def test_the_orchestrator_reads_all_that_it_is_told() -> None:
    told = Limits(**{field.name: number for number, field in enumerate(fields(Limits), 1)}).for_orchestrator()
    assert asdict(PlanLimits.read(told)) == told
