"""What the keeper finds when it looks: what runs, what should, and the next step for each process.

A look is a handful of set-based queries and the driver's list, so its cost hardly grows with the number of releases
that are as they should be.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from kernel.database import Database, load_queries
from kernel.database.pool import Row
from orchestrator.build.plan import BuildPlan
from orchestrator.build.running import WEB, Process
from orchestrator.convergence import Ready, Seen, Step, Stop, next_step
from orchestrator.endpoints import Empty, named
from orchestrator.instances import Instances
from orchestrator.liveness import Liveness
from orchestrator.restarts import is_looping
from orchestrator.scaling import Scale, scales_of

SQL: Final = load_queries("orchestrator")
CRON: Final = "cron:"  # begins the process name of a cron job's run, which is not the keeper's
Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Work:
    """A process of a current release that is not as it should be.

    Attributes:
        row: the release's, with the host of its deployment.
        empty: the state of the endpoints record when no instance is ready.
    """

    row: Row
    process: Process
    step: Step
    empty: Empty


@dataclass(slots=True)
class Look:
    """What one look found.

    Attributes:
        works: for each process that needs it a step, and one more for instances that are on their way out.
        stale: releases whose endpoints record does not name the ready instances, with the record's state when empty.
        strays: instances of releases that are neither current nor in the making.
        idle: workers of releases that are kept warm: two releases must not go on doing the same work.
    """

    works: list[Work] = field(default_factory=list)
    stale: list[tuple[str, Empty]] = field(default_factory=list)
    strays: dict[str, list[str]] = field(default_factory=dict)
    idle: dict[str, list[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _State:
    """What the queries gave, by what it is looked up by."""

    now: datetime
    scales: Mapping[Key, Sequence[Row]]
    restarts: Mapping[Key, datetime]
    crashes: Mapping[Key, Row]
    records: Mapping[str, Any]
    running: Mapping[Key, Sequence[Row]]
    ill: frozenset[str]


class Observer:
    """Looks. Plans never change, so they are read once while their release is current."""

    def __init__(self, database: Database, instances: Instances, liveness: Liveness) -> None:
        self._database, self._instances, self._liveness = database, instances, liveness
        self._plans: dict[str, BuildPlan] = {}

    async def look(self) -> Look:
        """Looks once, after rows and processes were made to agree."""
        rows = await self._instances.survey()
        current = {row["id"]: row for row in await self._database.fetch(SQL["current_releases"])}
        making = {row["release_id"] for row in await self._database.fetch(SQL["releases_in_the_making"])}
        state = await self._state(rows)
        self._plans = {release_id: plan for release_id, plan in self._plans.items() if release_id in current}
        found = Look()
        for row in current.values():
            if row["kind"] == "dynamic" and not row["warm"]:
                self._judge(row, state, found)
        for row in rows:
            if self._is_ours(row):
                self._judge_alone(row, current.get(row["release_id"]), row["release_id"] in making, found)
        return found

    async def _state(self, rows: list[Row]) -> _State:
        fetch = self._database.fetch
        return _State(
            now=await self._database.fetchval(SQL["database_time"]),
            scales=_grouped(await fetch(SQL["all_scales"]), "project_id", "environment"),
            restarts={
                (row["project_id"], row["environment"]): row["asked_at"] for row in await fetch(SQL["all_restarts"])
            },
            crashes={(row["release_id"], row["process"]): row for row in await fetch(SQL["crashes_in_a_row"])},
            records={row["release_id"]: row["record"] for row in await fetch(SQL["all_endpoints"])},
            running=_grouped(rows, "release_id", "process"),
            ill=self._liveness.ill,
        )

    def _is_ours(self, row: Row) -> bool:
        return not row["process"].startswith(CRON) and not self._instances.is_pending(row["id"])

    def _judge_alone(self, row: Row, release: Row | None, making: bool, found: Look) -> None:
        if release is None and not making:
            found.strays.setdefault(row["release_id"], []).append(row["id"])
        elif release is not None and release["warm"] and row["process"] != WEB and not making:
            found.idle.setdefault(row["release_id"], []).append(row["id"])

    def _judge(self, row: Row, state: _State, found: Look) -> None:
        plan = self._plans.get(row["id"]) or BuildPlan.from_json(row["plan"])
        self._plans[row["id"]] = plan
        environment = (row["project_id"], row["environment"])
        scales = scales_of(state.scales.get(environment, ()), plan)
        for process in plan.processes:
            key = (row["id"], process.name)
            running = [one for one in state.running.get(key, ()) if self._is_ours(one)]
            ready = [_ready(one, state) for one in running if one["state"] == "ready"]
            crash, scale = state.crashes.get(key), scales[process.name]
            empty = _empty(scale, crash, state.records.get(row["id"]))
            if process.name == WEB and _is_stale(state.records.get(row["id"]), ready, empty):
                found.stale.append((row["id"], empty))
            seen = Seen(
                wanted=scale.desired,
                ready=ready,
                crashes=crash["crashes"] if crash else 0,
                crashed_at=crash["last_at"] if crash else None,
                fresh_since=state.restarts.get(environment),
            )
            # What a process that was killed had begun, to start or to stop, is ended; others need not wait for that.
            begun = tuple(one["id"] for one in running if one["state"] != "ready")
            steps = (Stop(begun) if begun else None, next_step(seen, state.now))
            found.works += [Work(row, process, step, empty) for step in steps if step is not None]


def _ready(row: Row, state: _State) -> Ready:
    return Ready(row["id"], row["started_at"], row["id"] in state.ill)


def _empty(scale: Scale, crash: Row | None, record: Any) -> Empty:
    """How the record of a release without a ready instance is to read: whether requests wait for it."""
    if scale.desired == 0:
        return "asleep" if scale.may_wake else "running"
    if crash is not None and is_looping(crash["crashes"]):
        return "running"
    return "waking" if record is not None and record["state"] in ("asleep", "waking") else "running"


def _is_stale(record: Any, ready: Sequence[Ready], empty: Empty) -> bool:
    if record is None:
        return True
    state = "running" if ready else empty
    return (record["state"], named(record)) != (state, {one.instance_id for one in ready})


def _grouped(rows: Sequence[Row], *names: str) -> dict[Key, list[Row]]:
    found: defaultdict[Key, list[Row]] = defaultdict(list)
    for row in rows:
        found[row[names[0]], row[names[1]]].append(row)
    return found
