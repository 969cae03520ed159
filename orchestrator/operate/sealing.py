"""Which of the orchestrator's rows are sealed, so that all can be brought under the ring's first key."""

from __future__ import annotations

from typing import Final

from kernel.database import Database
from kernel.resealing import Resealing, SealedTable
from kernel.sealing import Sealer
from proto.sealing.v1.server import SealingServer

TABLES: Final = (SealedTable("releases", ("id",), "sealed_env", lambda row: str(row["id"])),)


def sealing(database: Database, sealer: Sealer) -> SealingServer:
    """The service Sealing of this one's rows."""
    return SealingServer(Resealing(database, sealer, TABLES))
