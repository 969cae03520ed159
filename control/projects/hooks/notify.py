"""Writes what happened for every hook that wants to hear of it, in the transaction in which it happens.

So nothing is told that did not happen, and nothing that happened is forgotten. The worker (worker.py) sends it.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from kernel import ids
from kernel.database import load_queries
from kernel.database.pool import Transaction

log = logging.getLogger(__name__)
SQL: Final = load_queries("control.projects.hooks")
QUEUE: Final = 500  # deliveries that may wait for one hook; a target that is down for a day gets no more than these


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that happened.

    Attributes:
        type: of hooks/rules.py.
        project_id: to which; "" for what concerns a team as a whole.
        team_id: only where there is no project.
        environment: "" for what belongs to none, which hooks hear whatever environments they name.
        data: what is said beside team, project and environment.
    """

    type: str
    project_id: str = ""
    team_id: str = ""
    environment: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)


async def notify(tx: Transaction, notice: Notice) -> None:
    """Queues a notice for the hooks that hear it; one query when there are none.

    Args:
        tx: the transaction in which it happens; the hooks can't be deleted before it ends.
    """
    hearing = await tx.fetch(SQL["hearing"], notice.project_id, notice.team_id, notice.type, notice.environment)
    if not hearing:
        return
    data: dict[str, Any] = {"team": {"id": hearing[0]["team_id"]}}
    if notice.project_id:
        data["project"] = {"id": notice.project_id, "name": hearing[0]["project_name"]}
    if notice.environment:
        data["environment"] = notice.environment
    wanted = {row["id"]: ids.new("dlv") for row in hearing}
    queued = await tx.fetch(
        SQL["enqueue"], list(wanted.values()), list(wanted), notice.type, {**data, **notice.data}, QUEUE
    )
    if full := sorted(wanted.keys() - {row["hook_id"] for row in queued}):
        log.warning("%s is not told to %s: %d deliveries wait already", notice.type, ", ".join(full), QUEUE)
        await tx.execute(SQL["drop"], full)
