"""How much routers answered for each project in a month: added up with each batch, told to who counts it by teams.

A batch is counted in the transaction that stores it, so one that a router sends twice is counted once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import date
from typing import Final, NamedTuple

from kernel.database import Database, load_queries
from kernel.database.pool import Transaction
from logsink.requests.record import Request

SQL: Final = load_queries("logsink.requests")
PAGE: Final = 1000
START: Final = date(1970, 1, 1)


class Traffic(NamedTuple):
    """A project's sums of a month; `sent` is bytes of answers' bodies."""

    project_id: str
    month: date
    requests: int
    sent: int


async def count(tx: Transaction, requests: Sequence[Request]) -> None:
    """Adds a batch to its projects' sums."""
    number: Counter[str] = Counter()
    sent: Counter[str] = Counter()
    for one in requests:
        number[one.served.project_id] += 1
        sent[one.served.project_id] += one.sent
    if number:
        await tx.execute(SQL["add_traffic"], list(number), list(number.values()), [sent[name] for name in number])


async def changed(database: Database, since_ms: int, after: tuple[str, date]) -> list[Traffic]:
    """Sums that have changed, at most `PAGE` of them, by project and month.

    Args:
        since_ms: unix time; only those that changed then or later.
        after: project and month of the last one that is known; ("", START) for the first page.
    """
    rows = await database.fetch(SQL["traffic"], since_ms, *after, PAGE)
    return [Traffic(**row) for row in rows]
