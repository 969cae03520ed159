"""Which of the orchestrator's rows are sealed, and the call that brings them under the ring's first key."""

# ruff: noqa: N802 - the methods have the names that the .proto gives them
from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Final

from kernel.authority import require_platform
from kernel.database import Database
from kernel.resealing import Resealing, SealedTable
from kernel.sealing import Sealer
from proto.sealing.v1 import sealing_pb2 as pb
from proto.sealing.v1.sealing_pb2_grpc import SealingServicer

TABLES: Final = (SealedTable("releases", ("id",), "sealed_env", lambda row: str(row["id"])),)


class SealingDoor(SealingServicer):
    """Answers the calls of sealing.proto."""

    def __init__(self, database: Database, sealer: Sealer) -> None:
        self._resealing = Resealing(database, sealer, TABLES)

    async def Reseal(self, request: pb.ResealRequest, context: Any) -> AsyncIterator[pb.ResealProgress]:
        """All releases, those that can no longer be brought back too; the platform alone may ask."""
        require_platform()
        async for one in self._resealing.run():
            yield pb.ResealProgress(
                table=one.table,
                resealed=one.resealed,
                changed=one.changed,
                broken=one.broken,
                keys=self._resealing.keys,
            )
