"""Tries a release on part of the requests, step by step, and ends it when the routers measure that it does worse.

The new release has its instances, and a share of the requests by the weights of the route; what served before gets the
rest and stays LIVE. Each step is compared over its own time (verdict.py). Worse ends the deployment as FAILED with the
route as it was; after the last step the routes flip as in any deployment. A newer deployment, a cancel, or an order to
abort takes the weights away in the transaction that says so.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from kernel.database import Database, load_queries
from kernel.database.pool import Row, Transaction
from kernel.deployments import Stage
from kernel.errors import define
from orchestrator.acknowledgements import Acknowledgements
from orchestrator.attempt import Attempt, OvertakenError
from orchestrator.domains.routes import put
from orchestrator.drivers.base import InstanceInfo
from orchestrator.failpoints import Write
from orchestrator.keeper import Keeper
from orchestrator.patience import Patience
from orchestrator.release.canary_plan import CanaryPlan, read_plan
from orchestrator.release.measured import REPORT_S, Measurements
from orchestrator.release.release import Release
from orchestrator.release.verdict import Sample, Verdict, judge, sample
from orchestrator.routes import RouteTable

CANARY_WORSE = define(
    "CANARY_WORSE",
    source="client",
    status=422,
    hint="every request goes to what served before again; shipoff canary status shows what was measured",
)
CANARY_ABORTED = define("CANARY_ABORTED", source="client", status=409, hint="what served before serves on")
CANARY_IMPOSSIBLE = define(
    "CANARY_IMPOSSIBLE",
    source="client",
    status=422,
    hint="deploy it without a canary: requests are shared between two apps or two static sites, not between both",
)
SQL: Final = load_queries("orchestrator")
LOOK_S: Final = 0.5
WHOLE: Final = 100
STICKY: Final = "shipoff_release"  # the cookie of a static site's canary that names none


@dataclass(frozen=True, slots=True)
class _Trial:
    """What a canary is about: the route's record as it was, and the release that gets a share of its requests."""

    plan: CanaryPlan
    before: dict[str, Any]
    release: Release

    @property
    def base(self) -> str:
        """The release that the canary is compared with."""
        return str(self.before["release"])

    @property
    def is_static(self) -> bool:
        """Whether it is about files, which no instance serves."""
        return self.release.kind == "static"

    def record(self, weight: int) -> dict[str, Any]:
        """The route with the new release's share in it."""
        weights = [[self.base, WHOLE - weight], [self.release.id, weight]]
        rule = self.plan.rule
        if self.is_static:
            # A page and what it asks for are to come from one release.
            rule = {"cookie": STICKY, **rule}
        shared = {**self.before, "weights": weights, "rules": {**self.before["rules"], "canary": rule}}
        if self.is_static:
            shared["manifests"] = {self.base: self.before["manifest"], self.release.id: self.release.artifact}
        return shared


class Canary:
    """Drives canaries."""

    def __init__(
        self,
        database: Database,
        table: RouteTable,
        keeper: Keeper,
        acknowledgements: Acknowledgements,
        measurements: Measurements,
        patience: Patience,
        routers_s: float,
    ) -> None:
        self._database, self._table, self._keeper = database, table, keeper
        self._acknowledgements, self._measurements = acknowledgements, measurements
        self._patiently, self._routers_s = patience, routers_s

    async def run(self, attempt: Attempt, release: Release, host: str, infos: list[InstanceInfo]) -> None:
        """Returns when the release may have all requests.

        Raises:
            ShipoffError: CANARY_WORSE, CANARY_ABORTED, CANARY_IMPOSSIBLE, CANARY_INVALID, ROUTERS_BEHIND.
            OvertakenError: the deployment was ended.
        """
        attempt.enter(Stage.CANARY)
        trial = await self._trial(attempt, release, host)
        if trial is None:
            await attempt.log.say("nothing serves here yet that a canary could be compared with")
            return
        row = await self._patiently(lambda: self._row(attempt))
        for step in range(row["canary_state"].get("step", 0), len(trial.plan.steps)):
            weight = trial.plan.steps[step]
            version = await self._patiently(partial(self._shift, attempt, trial, step, infos))
            await self._acknowledgements.wait(version, self._routers_s)
            await attempt.log.say(f"{weight} % of the requests go to {release.id} for {trial.plan.step_s:g} s")
            if await self._step(attempt, trial, weight):
                return

    async def _trial(self, attempt: Attempt, release: Release, host: str) -> _Trial | None:
        plan = read_plan(attempt.row["canary"])
        row = await self._patiently(lambda: self._row(attempt))
        before = row["canary_state"].get("before") or await self._patiently(
            lambda: self._database.fetchval(SQL["get_route"], host, "/")
        )
        if before is None:
            return None
        if before["kind"] != release.kind:
            raise CANARY_IMPOSSIBLE(f"the release is {release.kind}, and what serves now is {before['kind']}")
        return _Trial(plan, before, release)

    async def _row(self, attempt: Attempt) -> Row:
        row = await self._database.fetchrow(SQL["get_deployment"], attempt.id)
        if row is None or row["state"] != "PROVISIONING":
            raise OvertakenError
        return row

    async def _shift(self, attempt: Attempt, trial: _Trial, step: int, infos: list[InstanceInfo]) -> int:
        """Gives the release the share of a step; returns the table's version from which on it has it."""
        weight = trial.plan.steps[step]
        async with attempt.writing(Write.SHARE) as tx:
            row = await tx.fetchrow(SQL["lock_deployment"], attempt.id)
            if row is None or row["state"] != "PROVISIONING" or row["flipped"]:
                raise OvertakenError
            state = {"step": step, "weight": weight, "before": trial.before}
            await tx.execute(SQL["note_canary"], attempt.id, state)
            if not trial.is_static:
                await self._keeper.put_endpoints(tx, trial.release.id, infos)
            return await put(tx, self._table, trial.record(weight))

    async def _step(self, attempt: Attempt, trial: _Trial, weight: int) -> bool:
        """Watches one step to its end; True when the rest is to be left out."""
        loop = asyncio.get_running_loop()
        # A report that comes first may tell of the time before the step.
        start_ms = await self._patiently(self._measurements.now_ms) + round(REPORT_S * 1000)
        end = loop.time() + trial.plan.step_s
        while True:
            order = (await self._patiently(lambda: self._row(attempt)))["canary_state"].get("order")
            found = await self._patiently(lambda: self._compare(trial, start_ms))
            over = loop.time() >= end
            if over or order or (found.outcome == "worse" and trial.plan.judge):
                await self._patiently(partial(self._report, attempt, weight, found))
                return self._decide(trial, found, order)
            await asyncio.sleep(min(LOOK_S, max(0.0, end - loop.time())))

    def _decide(self, trial: _Trial, found: Verdict, order: str | None) -> bool:
        if order == "abort":
            raise CANARY_ABORTED("somebody aborted the canary")
        if found.outcome == "worse" and trial.plan.judge:
            raise CANARY_WORSE("; ".join(found.reasons))
        return order == "promote"

    async def _compare(self, trial: _Trial, start_ms: int) -> Verdict:
        sums = await self._measurements.since(start_ms, {trial.base, trial.release.id})
        return judge(sample(sums[trial.base]), sample(sums[trial.release.id]))

    async def _report(self, attempt: Attempt, weight: int, found: Verdict) -> None:
        entry = {
            "weight": weight,
            "outcome": found.outcome,
            "reasons": list(found.reasons),
            "base": _shown(found.base),
            "canary": _shown(found.canary),
        }
        async with attempt.writing(Write.REPORT) as tx:
            await tx.execute(SQL["report_canary"], attempt.id, [entry])
        await attempt.log.say(f"at {weight} %: {found.outcome}" + "".join(f"; {reason}" for reason in found.reasons))


async def withdraw(tx: Transaction, table: RouteTable, deployment_id: str) -> None:
    """Takes a canary's share of the requests away again, if the deployment has one; its row is locked by the caller."""
    before = await tx.fetchval(SQL["end_canary"], deployment_id)
    if before is not None:
        await put(tx, table, before)


def _shown(measured: Sample) -> dict[str, Any]:
    return {
        "requests": measured.requests,
        "errors": measured.errors,
        "p95_ms": round(measured.p95_s * 1000, 3),
    }
