"""A door: something that listens, turns what it hears into batches, and gives them to the intake.

gRPC is the first; HTTP ingest, Fluent forward and the Loki API join it later and need no more than this.
"""

from __future__ import annotations

from typing import Protocol

from logsink.lines import Batch


class Door(Protocol):
    """Listens for lines."""

    async def start(self) -> int:
        """Listens; returns the port."""
        ...

    async def stop(self) -> None:
        """Takes nothing more, and lets what was taken be answered."""
        ...


class Sink(Protocol):
    """Where a door puts what it heard."""

    async def append(self, batch: Batch) -> bool:
        """Returns once the batch is durable; False when it had been stored before.

        Raises:
            ShipoffError: LOGS_OVERLOADED, or whatever keeps the store from storing it; sending it again is safe.
        """
        ...
