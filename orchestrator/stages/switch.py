"""PROVISIONING to LIVE: the routes are flipped in one transaction, the routers confirm, and only then is it live.

A failure after the flip puts the previous route back in the transaction that writes FAILED.
"""

from __future__ import annotations

from typing import Any, Final

from kernel.database import load_queries
from kernel.database.pool import Row, Transaction
from kernel.deployments import State
from kernel.events import Envelope, ReleaseLive
from kernel.streams import publish
from orchestrator.acknowledgements import Acknowledgements
from orchestrator.attempt import Attempt, OvertakenError
from orchestrator.domains.routes import delete, put
from orchestrator.drivers.base import InstanceInfo
from orchestrator.failpoints import Write
from orchestrator.keeper import Keeper
from orchestrator.moves import Note, move
from orchestrator.patience import Patience
from orchestrator.release.canary import withdraw
from orchestrator.release.release import Release
from orchestrator.routes import RouteTable
from orchestrator.scaling import rouse
from orchestrator.settings import OrchestratorSettings

SQL: Final = load_queries("orchestrator")


class Switch:
    """Moves an environment's requests from one release to another, all or none."""

    def __init__(
        self,
        settings: OrchestratorSettings,
        table: RouteTable,
        acknowledgements: Acknowledgements,
        keeper: Keeper,
        patience: Patience,
    ) -> None:
        self._settings, self._table = settings, table
        self._acknowledgements, self._keeper, self._patiently = acknowledgements, keeper, patience

    async def flip(self, attempt: Attempt, release: Release, infos: list[InstanceInfo]) -> Row:
        """Points the routes at the release; from here on a newer deployment waits for this one.

        Raises:
            OvertakenError: the deployment was ended before.
        """
        async with attempt.writing(Write.FLIP) as tx:
            row = await tx.fetchrow(SQL["lock_deployment"], attempt.id)
            if row is None or row["flipped"]:
                raise OvertakenError  # by ourselves: the commit was done although its answer was lost
            previous = row["canary_state"].get("before") or await tx.fetchval(SQL["get_route"], row["host"], "/")
            if release.kind == "dynamic":
                await self._keeper.put_endpoints(tx, release.id, infos)
                await rouse(tx, attempt.project_id, attempt.environment)
            version = await put(tx, self._table, route_of(release, row["host"], previous))
            flipped: Row | None = await tx.fetchrow(SQL["flip_deployment"], attempt.id, version, previous)
            if flipped is None:
                raise OvertakenError  # nothing of this transaction stays
        return flipped

    async def confirm(self, attempt: Attempt, release: Release, row: Row) -> None:
        """Waits until every router serves the flip, and calls the deployment LIVE.

        Raises:
            ShipoffError: ROUTERS_BEHIND.
        """
        await self._acknowledgements.wait(row["routes_version"], self._settings.routers_s)
        attempt.leave()
        await self._patiently(lambda: self._live(attempt, release, row))

    async def undo(self, tx: Transaction, attempt: Attempt) -> None:
        """Puts the previous route back, if the deployment has flipped it or has a share of its requests."""
        await withdraw(tx, self._table, attempt.id)
        row = await tx.fetchrow(SQL["unflip_deployment"], attempt.id)
        if row is None:
            return
        if row["previous_route"] is None:
            await delete(tx, self._table, row["project_id"], row["environment"], row["host"])
        else:
            await put(tx, self._table, row["previous_route"])

    async def _live(self, attempt: Attempt, release: Release, row: Row) -> None:
        environment = (attempt.project_id, attempt.environment)
        async with attempt.writing(Write.LIVE) as tx:
            before = await tx.fetchrow(SQL["live_deployment"], *environment)
            if before is not None and before["id"] != attempt.id:
                await move(tx, before["id"], State.INACTIVE)
                await tx.execute(SQL["warm_deployment"], *environment, before["id"], self._settings.warm_s)
            note = Note(url=row["url"], timings_ms=attempt.timings_ms)
            if await move(tx, attempt.id, State.LIVE, note) is not None:
                event = ReleaseLive(release.id, *environment, row["url"])
                await publish(tx, Envelope(event, key="/".join(environment)))


def route_of(release: Release, host: str, previous: dict[str, Any] | None) -> dict[str, Any]:
    """The record of a route that sends a whole host to one release.

    Args:
        previous: the record that it replaces, or None.
    """
    record: dict[str, Any] = {
        "host": host,
        "path": "/",
        "project": release.project_id,
        "environment": release.environment,
        "kind": release.kind,
        "release": release.id,
        "rules": _rules(release),
    }
    if release.kind == "static":
        record["manifest"] = release.artifact
        if before := _open_pages(previous or {}, release):
            record["previous"] = before
    return record


def _open_pages(previous: dict[str, Any], release: Release) -> str:
    """The manifest of the files that pages still open in browsers may ask for; "" for none."""
    if previous.get("project") != release.project_id:
        return ""
    before = str(previous.get("manifest", ""))
    return before if before != release.artifact else str(previous.get("previous", ""))


def _rules(release: Release) -> dict[str, Any]:
    rules, health = {**release.plan.rules, **release.rules}, release.plan.health
    if release.kind == "dynamic" and release.health_strict and health.kind == "http":
        # Routers probe an instance that they have set aside by the path that its owner named.
        rules["health"] = {"path": health.path, **rules.get("health", {})}
    return rules
