"""The gRPC face of a change of keys (sealing.proto), the same in every service that keeps sealed rows."""

# ruff: noqa: N802 - the methods have the names that the .proto gives them
from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Protocol

from kernel.authority import require_platform
from proto.sealing.v1 import sealing_pb2 as pb
from proto.sealing.v1.sealing_pb2_grpc import SealingServicer


class Done(Protocol):
    """How far a table has got (kernel/resealing.py)."""

    table: str
    resealed: int
    changed: int
    broken: int


class Work(Protocol):
    """Resealing of kernel/resealing.py, which imports what generated code must not."""

    @property
    def keys(self) -> tuple[str, ...]:
        """The names of the ring's keys, the primary first."""

    def run(self) -> AsyncIterator[Done]:
        """Goes through all tables."""


class SealingServer(SealingServicer):
    """Answers the calls of sealing.proto.

    Args:
        work: knows the service's tables.
    """

    def __init__(self, work: Work) -> None:
        self._work = work

    async def Reseal(self, request: pb.ResealRequest, context: Any) -> AsyncIterator[pb.ResealProgress]:
        """All of them; the platform alone may ask."""
        require_platform()
        async for one in self._work.run():
            yield pb.ResealProgress(
                table=one.table, resealed=one.resealed, changed=one.changed, broken=one.broken, keys=self._work.keys
            )
