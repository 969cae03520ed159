"""Which of auth's rows are sealed, so that all can be brought under the ring's first key."""

from __future__ import annotations

from typing import Final

from control.auth.mail.service import place as mail
from control.auth.two_factor.service import place as second_factor
from kernel.database import Database
from kernel.resealing import Resealing, SealedTable
from kernel.sealing import Sealer
from proto.sealing.v1.server import SealingServer

# Successors of refresh tokens are sealed too, for ten seconds (sessions/): less than a change of keys takes.
TABLES: Final = (
    SealedTable("signing_keys", ("id",), "private_sealed", lambda row: str(row["id"])),
    SealedTable("two_factor", ("account_id",), "secret_sealed", lambda row: second_factor(row["account_id"])),
    SealedTable("mails", ("id",), "sealed", lambda row: mail(row["id"])),
)


def sealing(database: Database, sealer: Sealer) -> SealingServer:
    """The service Sealing of this one's rows."""
    return SealingServer(Resealing(database, sealer, TABLES))
