"""Which of the projects service's rows are sealed, and the call that brings them under the ring's first key."""

# ruff: noqa: N802 - the methods have the names that the .proto gives them
from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Final

from control.projects.env.service import place_of
from control.projects.hooks.hook import place as hook_place
from kernel.authority import require_platform
from kernel.database import Database
from kernel.resealing import Resealing, SealedTable
from kernel.sealing import Sealer
from proto.sealing.v1 import sealing_pb2 as pb
from proto.sealing.v1.sealing_pb2_grpc import SealingServicer

TABLES: Final = (
    SealedTable(
        "env_vars",
        ("project_id", "environment", "name"),
        "sealed",
        lambda row: place_of(row["project_id"], row["name"], row["environment"], secret=row["secret"]),
    ),
    SealedTable("hooks", ("id",), "target", lambda row: hook_place(row["id"], "target")),
    SealedTable("hooks", ("id",), "secrets", lambda row: hook_place(row["id"], "secrets")),
    SealedTable("repository_links", ("id",), "sealed_secret", lambda row: f"{row['id']}/secret"),
    SealedTable("repository_links", ("id",), "sealed_token", lambda row: f"{row['id']}/token"),
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
