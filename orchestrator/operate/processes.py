"""The processes of an environment: shown, scaled, restarted."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from kernel.audit import record
from kernel.database import Database, load_queries
from kernel.database.pool import Row
from kernel.errors import define
from orchestrator.build.plan import BuildPlan
from orchestrator.build.running import WEB, Process
from orchestrator.plan_limits import check_scale
from orchestrator.restarts import is_looping
from orchestrator.scaling import SCALE_INVALID, Scale, scales_of, set_bounds

NOTHING_RUNS = define(
    "NOTHING_RUNS",
    source="client",
    status=409,
    hint="deploy an app with a run command first; static sites have no processes",
)
PROCESS_UNKNOWN = define("PROCESS_UNKNOWN", source="client", status=404, hint="see the names: shipoff ps")

SQL: Final = load_queries("orchestrator.operate")
SHARED: Final = load_queries("orchestrator")
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Shown:
    """One process of the live release.

    Attributes:
        state: running, starting, crash_looping, asleep, waking, or off.
        ready: its instances that serve.
        crashes: in a row.
        changed_by: who changed the number last, "" when nobody did.
    """

    process: Process
    scale: Scale
    state: str
    ready: int
    crashes: int
    changed_by: str


class Processes:
    """Reads and writes what is wanted.

    Args:
        most: instances that a process may be scaled to by hand.
        look: tells the keeper that something is wanted.
    """

    def __init__(self, database: Database, most: int, look: Callable[[], None]) -> None:
        self._database, self._most, self._look = database, most, look

    async def show(self, project_id: str, environment: str) -> tuple[list[Shown], list[Row]]:
        """The live release's processes, none when nothing is live, and the rows of the environment's instances."""
        rows = await self._database.fetch(SQL["shown_instances"], project_id, environment)
        release = await self._database.fetchrow(SQL["live_release"], project_id, environment)
        if release is None or release["kind"] != "dynamic":
            return [], rows
        return await self._shown(release, rows), rows

    async def scale(
        self,
        project_id: str,
        environment: str,
        process: str,
        bounds: tuple[int, int] | None,
        by: str,
        team_id: str = "",
    ) -> Shown:
        """Sets a process's bounds by hand; None gives it back to what the release says.

        Args:
            by: who asks.
            team_id: whose audit log hears of it; "" for the platform's own doings.

        Raises:
            ShipoffError: NOTHING_RUNS, PROCESS_UNKNOWN, SCALE_INVALID, LIMIT_INSTANCES.
        """
        if bounds is not None and bounds[1] > self._most:
            raise SCALE_INVALID(f"{bounds[1]} instances are more than this platform gives one process: {self._most}")
        await self._known(project_id, environment, process)
        if bounds is not None:
            check_scale(await self._database.fetchrow(SHARED["newest_limits"], project_id, environment), bounds[1])
        async with self._database.transaction() as tx:
            await set_bounds(tx, project_id, environment, process, bounds, by)
            if team_id:
                said = {"environment": environment, "bounds": list(bounds) if bounds else "auto"}
                await record(tx, "process.scale", team_id=team_id, project_id=project_id, target=process, after=said)
        log.info("%s scales %s of %s/%s to %s", by, process, project_id, environment, bounds or "auto")
        self._look()
        shown, _ = await self.show(project_id, environment)
        return next(one for one in shown if one.process.name == process)

    async def restart(self, project_id: str, environment: str, by: str, team_id: str = "") -> int:
        """Has every instance of the live release replaced; returns how many that are.

        Raises:
            ShipoffError: NOTHING_RUNS.
        """
        release = await self._known(project_id, environment, "")
        async with self._database.transaction() as tx:
            await tx.execute(SHARED["ask_restart"], project_id, environment, by)
            if team_id:
                await record(tx, "environment.restart", team_id=team_id, project_id=project_id, target=environment)
        log.info("%s restarts %s/%s", by, project_id, environment)
        self._look()
        rows = await self._database.fetch(SQL["shown_instances"], project_id, environment)
        return sum(row["release_id"] == release["id"] and row["state"] == "ready" for row in rows)

    async def _known(self, project_id: str, environment: str, process: str) -> Row:
        release = await self._database.fetchrow(SQL["live_release"], project_id, environment)
        if release is None or release["kind"] != "dynamic":
            raise NOTHING_RUNS(f"no app is live in {environment}")
        names = [one.name for one in BuildPlan.from_json(release["plan"]).processes]
        if process and process not in names:
            raise PROCESS_UNKNOWN(f"the live release has no process {process!r}; it has {', '.join(names)}")
        return release

    async def _shown(self, release: Row, rows: Sequence[Row]) -> list[Shown]:
        plan = BuildPlan.from_json(release["plan"])
        scaled = await self._database.fetch(SHARED["scales_of"], release["project_id"], release["environment"])
        crashes = {
            row["process"]: row["crashes"] for row in await self._database.fetch(SQL["crashes_of"], release["id"])
        }
        record = await self._database.fetchval(SHARED["get_endpoints"], release["id"])
        scales, by = scales_of(scaled, plan), {row["process"]: row["changed_by"] for row in scaled}
        found = []
        for process in plan.processes:
            name = process.name
            ready = sum(
                (row["release_id"], row["process"], row["state"]) == (release["id"], name, "ready") for row in rows
            )
            state = _state(scales[name], ready, crashes.get(name, 0), record if name == WEB else None)
            found.append(Shown(process, scales[name], state, ready, crashes.get(name, 0), by.get(name, "")))
        return found


def _state(scale: Scale, ready: int, crashes: int, record: Any) -> str:
    if scale.desired == 0:
        return "asleep" if scale.may_wake and record is not None else "off"
    if is_looping(crashes) and ready < scale.desired:
        return "crash_looping"
    if ready:
        return "running"
    return "waking" if record is not None and record["state"] == "waking" else "starting"
