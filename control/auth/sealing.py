"""Which of auth's rows are sealed, and the call that brings them under the ring's first key."""

# ruff: noqa: N802 - the methods have the names that the .proto gives them
from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Final

from control.auth.mail.service import place as mail
from control.auth.two_factor.service import place as second_factor
from kernel.authority import require_platform
from kernel.database import Database
from kernel.resealing import Resealing, SealedTable
from kernel.sealing import Sealer
from proto.sealing.v1 import sealing_pb2 as pb
from proto.sealing.v1.sealing_pb2_grpc import SealingServicer

# Successors of refresh tokens are sealed too, for ten seconds (sessions/): less than a change of keys takes.
TABLES: Final = (
    SealedTable("signing_keys", ("id",), "private_sealed", lambda row: str(row["id"])),
    SealedTable("two_factor", ("account_id",), "secret_sealed", lambda row: second_factor(row["account_id"])),
    SealedTable("mails", ("id",), "sealed", lambda row: mail(row["id"])),
)


class SealingServer(SealingServicer):
    """Answers the calls of sealing.proto."""

    def __init__(self, database: Database, sealer: Sealer) -> None:
        self._resealing = Resealing(database, sealer, TABLES)

    async def Reseal(self, request: pb.ResealRequest, context: Any) -> AsyncIterator[pb.ResealProgress]:
        """All of them; the platform alone may ask."""
        require_platform()
        async for one in self._resealing.run():
            yield pb.ResealProgress(
                table=one.table,
                resealed=one.resealed,
                changed=one.changed,
                broken=one.broken,
                keys=self._resealing.keys,
            )
