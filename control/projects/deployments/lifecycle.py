"""Applies what the orchestrator reports (stream `lifecycle`, group `projects`) to the rows.

Each event takes effect once (its id is remembered in the same transaction), and only if the table of legal moves in
kernel/deployments.py allows it from the state that the row has, so a late or repeated event never moves one backwards.
"""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Final

from control.projects.catalog.service import clear_live, set_live
from control.projects.deployments.service import PRODUCTION
from control.projects.github.reports import note_deployment
from control.projects.hooks.notices import of_deployment
from control.projects.hooks.notify import notify
from control.projects.limits.usage import note_move
from kernel.database import Database, load_queries
from kernel.deployments import UNFINISHED, State, sources_of
from kernel.errors import define
from kernel.events import DeploymentStateChanged, Envelope
from kernel.streams import first_time

log = logging.getLogger(__name__)

STATE_UNKNOWN = define("STATE_UNKNOWN", hint="the orchestrator is newer than the projects service")
SQL: Final = load_queries("control.projects.deployments")


class Lifecycle:
    """The handler of the consumer."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def apply(self, envelope: Envelope) -> None:
        """Moves the row that an event is about; events of other types are none of ours.

        Raises:
            ShipoffError: STATE_UNKNOWN.
        """
        change = envelope.data
        if not isinstance(change, DeploymentStateChanged):
            return
        state = _state(change.state)
        async with self._database.transaction() as tx:
            if not await first_time(tx, envelope.id):
                return
            row = await tx.fetchrow(
                SQL["move"],
                change.deployment_id,
                state,
                allowed_from(state),
                change.stage,
                change.reason,
                change.hint,
                change.exit_status,
                change.url,
                change.release_id,
                change.timings_ms,
            )
            if row is None:
                log.info("%s does not move to %s: late, repeated or unknown", change.deployment_id, state)
                return
            await note_deployment(tx, change.deployment_id)
            if row["moved"]:
                await note_move(tx, row, datetime.fromisoformat(envelope.at))
                if notice := of_deployment(row):
                    await notify(tx, notice)
            if change.environment != PRODUCTION:
                return  # what a project's address shows is production
            if state is State.LIVE:
                await set_live(tx, change.project_id, change.deployment_id)
            elif state is State.INACTIVE:
                await clear_live(tx, change.project_id, change.deployment_id)


def allowed_from(state: State) -> list[str]:
    """Where a move to `state` may begin; an unfinished state may be reported again, with its next stage."""
    return sources_of(state) + ([state.value] if state in UNFINISHED else [])


def _state(text: str) -> State:
    try:
        return State(text)
    except ValueError as error:
        raise STATE_UNKNOWN(f"{text!r} is no state of a deployment") from error
