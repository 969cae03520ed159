import asyncio
from pathlib import Path
from typing import Any, cast

import pytest

from kernel.deployments import Stage
from kernel.errors import ShipoffError
from orchestrator.attempt import Attempt
from orchestrator.deadlines import CODES, Deadlines
from orchestrator.environments import Work
from orchestrator.failpoints import Failpoints
from orchestrator.settings import OrchestratorSettings
from orchestrator.turns import NO_TURN

NOBODY = cast("Any", None)
ROW = {"id": "dep_1", "project_id": "prj_1", "environment": "production", "kind": "build", "state": "QUEUED",
       "waited_ms": 70}  # fmt: skip


def deadlines(**limits: float) -> Deadlines:
    return Deadlines(
        OrchestratorSettings(
            database_url="", redis_url="", service_token="t", env_key="", projects_address="", logsink_address="",
            gateway_url="", work_dir=Path(), run_dir=Path(), **cast("Any", limits),
        )
    )  # fmt: skip


def attempt(**limits: float) -> Attempt:
    return Attempt(Work(cast("Any", ROW), NOBODY, NO_TURN), NOBODY, deadlines(**limits), Failpoints(""))


async def hangs(tried: Attempt, *stages: Stage) -> None:
    async with tried.bounded():
        for stage in stages:
            tried.enter(stage)
        await asyncio.Event().wait()


@pytest.mark.parametrize(
    ("limit", "stages", "code"),
    [
        ("fetch_s", [], "FETCH_TIMED_OUT"),
        ("detect_s", [Stage.DETECT], "DETECT_TIMED_OUT"),
        ("build_s", [Stage.DETECT, Stage.BUILD], "BUILD_TIMED_OUT"),
        ("artifact_s", [Stage.BUILD, Stage.ARTIFACT], "ARTIFACT_TIMED_OUT"),
        ("release_s", [Stage.RELEASE], "RELEASE_TIMED_OUT"),
        ("launch_s", [Stage.START], "START_TIMED_OUT"),
        ("health_s", [Stage.START, Stage.HEALTH], "HEALTH_TIMED_OUT"),
        ("route_s", [Stage.HEALTH, Stage.ROUTE], "ROUTE_TIMED_OUT"),
    ],
)
async def test_a_stage_that_hangs_is_ended_by_its_own_deadline(limit: str, stages: list[Stage], code: str) -> None:
    tried = attempt(**{limit: 0.01})
    with pytest.raises(ShipoffError) as told:
        await hangs(tried, *stages)
    assert told.value.code == code
    assert told.value.hint
    assert tried.stage is (stages[-1] if stages else Stage.FETCH)


async def test_the_deadline_of_a_stage_ends_with_the_stage() -> None:
    tried = attempt(fetch_s=0.05, detect_s=0.05)
    async with tried.bounded():
        await asyncio.sleep(0.03)
        tried.enter(Stage.DETECT)
        await asyncio.sleep(0.03)
        tried.enter(Stage.CANARY)  # whose plan says how long it lasts
        await asyncio.sleep(0.06)


async def test_a_timeout_of_the_work_itself_is_not_taken_for_the_stage_s() -> None:
    with pytest.raises(TimeoutError):
        async with attempt().bounded(), asyncio.timeout(0.01):
            await asyncio.Event().wait()


async def test_the_time_in_the_queue_is_the_first_of_the_timings() -> None:
    tried = attempt()
    async with tried.bounded():
        tried.enter(Stage.DETECT)
        tried.leave()
    assert tried.timings_ms["queue"] == 70
    assert list(tried.timings_ms) == ["queue", "fetch", "detect"]


async def test_every_bounded_stage_has_a_code_of_its_own() -> None:
    codes = [kind.code for kind in CODES.values()]
    assert len(codes) == len(set(codes))
    assert {stage for stage in Stage if deadlines().limit_s(stage) is not None} == set(CODES)
