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


async def note_comment(tx: Transaction, installation_id: int, repository_id: str, number: int) -> None:
    """What the one comment of a pull request says has changed; a pull request without one gets none by this."""
    await tx.execute(SQL["note_comment"], f"{repository_id}#{number}", installation_id, repository_id, number)
