"""Dead letters: events that a consumer gave up on, kept in `<stream>.dead` until somebody replays or drops them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Final

from redis.asyncio import Redis

from kernel.events import Stream

STREAMS: Final[tuple[Stream, ...]] = ("deployments", "lifecycle", "routes", "activity", "audit")
PAGE: Final = 100


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One event in its grave.

    Attributes:
        id: of the entry in the dead stream.
        stream: where it came from.
        group: who gave up on it.
        error: why.
        event: the envelope as it was, JSON; not always well-formed, which may be the reason.
    """

    id: str
    stream: Stream
    group: str
    error: str
    event: bytes


async def dead_letters(redis: Redis) -> AsyncIterator[DeadLetter]:
    """Yields all dead letters, stream by stream, oldest first."""
    for stream in STREAMS:
        position = "-"
        while True:
            page: Any = await redis.xrange(_grave(stream), min=position, count=PAGE)
            for entry_id, fields in page:
                yield DeadLetter(
                    entry_id.decode(),
                    stream,
                    fields.get(b"group", b"").decode(),
                    fields.get(b"error", b"").decode(errors="replace"),
                    fields.get(b"e", b""),
                )
            if len(page) < PAGE:
                break
            position = f"({page[-1][0].decode()}"


async def replay(redis: Redis, letter: DeadLetter) -> None:
    """Appends the event to its stream again, under its own id, and removes the letter: both or neither.

    Groups that handled it before recognise its id.
    """
    pipe: Any
    async with redis.pipeline(transaction=True) as pipe:
        pipe.xadd(letter.stream, {"e": letter.event})
        pipe.xdel(_grave(letter.stream), letter.id)
        await pipe.execute()


async def drop(redis: Redis, letter: DeadLetter) -> None:
    """Removes the letter for good."""
    await redis.xdel(_grave(letter.stream), letter.id)


def _grave(stream: Stream) -> str:
    return f"{stream}.dead"
