from __future__ import annotations

from typing import Any

import pytest

from kernel.errors import ShipoffError
from orchestrator.build.plan import BuildPlan
from orchestrator.build.running import AppLimits, Process, Scaling
from orchestrator.plan_limits import PlanLimits, check_scale

PLAN = BuildPlan(
    framework="node",
    kind="dynamic",
    run="node .",
    scaling=Scaling(min=2, max=30),
    limits=AppLimits(memory_bytes=2 << 30, cpus=2.0),
    workers=(Process("mail", "node mail", "worker", instances=9),),
)


def test_a_plan_is_cut_down_to_what_the_team_s_plan_gives() -> None:
    plan, said = PlanLimits(instances=4, memory_mb=512, cpu_millis=500).cut(PLAN)
    assert (plan.scaling.min, plan.scaling.max, plan.workers[0].instances) == (2, 4, 4)
    assert (plan.limits.memory_bytes, plan.limits.cpus) == (512 << 20, 0.5)
    assert said == ["memory of an instance: 512 MiB", "processors of an instance: 0.5", "instances of a process: 4"]
    assert plan.scaling.target == PLAN.scaling.target


def test_who_asks_for_less_keeps_it_and_nothing_is_said() -> None:
    assert PlanLimits(instances=30, memory_mb=4096, cpu_millis=4000).cut(PLAN) == (PLAN, [])
    assert PlanLimits().cut(PLAN) == (PLAN, [])


def test_who_asks_for_no_processors_gets_the_plan_s() -> None:
    asked = BuildPlan(framework="node", kind="dynamic", run="node .")
    plan, said = PlanLimits(cpu_millis=1500).cut(asked)
    assert (plan.limits.cpus, said) == (1.5, [])


@pytest.mark.parametrize("wire", [{}, {"builds": "3"}, {"builds": -1}, {"builds": None}, {"unheard": 3}])
def test_what_is_no_limit_is_none(wire: dict[str, Any]) -> None:
    assert PlanLimits.read(wire) == PlanLimits()


def test_a_scale_above_the_plan_s_is_refused() -> None:
    row: Any = {"limits": {"instances": 3}}
    check_scale(row, 3)
    check_scale(None, 100)
    with pytest.raises(ShipoffError, match=r"LIMIT_INSTANCES.* 3 instances, and 4 are wanted"):
        check_scale(row, 4)
