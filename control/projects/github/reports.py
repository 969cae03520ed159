"""Notes what GitHub is to be told, in the transaction of whatever happened; `reporter.py` tells it."""

from __future__ import annotations

from typing import Final

from kernel.database import load_queries
from kernel.database.pool import Transaction

SQL: Final = load_queries("control.projects.github")


async def note_deployment(tx: Transaction, deployment_id: str) -> None:
    """A deployment is there or moved; nothing is noted for one whose commit came from elsewhere than GitHub."""
    await tx.execute(SQL["note_deployment"], deployment_id)
    await tx.execute(SQL["note_comment_of"], deployment_id)


async def note_end(tx: Transaction, project_id: str, environment: str) -> None:
    """A preview is over: the comment of its pull request says so; one that has no comment gets none by this."""
    await tx.execute(SQL["note_end"], project_id, environment)
