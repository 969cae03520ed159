"""The writing side of the transactional outbox, and the consumer's memory of what it has done."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from kernel.database.pool import Transaction
from kernel.events import Envelope

CHANNEL: Final = "outbox"
_INSERT: Final = "insert into outbox (stream, envelope, beside) values ($1, $2, $3)"
_REMEMBER: Final = "insert into consumed_events (id) values ($1) on conflict do nothing"

Command = Sequence[str]


async def publish(tx: Transaction, envelope: Envelope, *, beside: Sequence[Command] = ()) -> None:
    """Writes an event that is appended to its stream if, and soon after, the transaction commits.

    Events of one key leave in the order of their commits only if the writers of that key exclude each other, which a
    row lock on what the key names gives.

    Args:
        tx: the transaction that also makes the change that the event tells of.
        envelope: its event's STREAM says where it goes.
        beside: Redis commands to run in the same MULTI, e.g. `[["HSET", "routes:table", field, value]]`.
    """
    await tx.execute(_INSERT, envelope.data.STREAM, envelope.encode(), [list(command) for command in beside] or None)
    await tx.execute(f"notify {CHANNEL}")


async def first_time(tx: Transaction, event_id: str) -> bool:
    """Whether the effect of this event is new here; remembers it in the same transaction."""
    return (await tx.execute(_REMEMBER, event_id)).endswith(" 1")
