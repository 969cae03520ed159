"""Which of the projects service's rows are sealed, so that all can be brought under the ring's first key."""

from __future__ import annotations

from typing import Final

from control.projects.env.service import place_of
from control.projects.hooks.hook import place as hook_place
from kernel.database import Database
from kernel.resealing import Resealing, SealedTable
from kernel.sealing import Sealer
from proto.sealing.v1.server import SealingServer

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


def sealing(database: Database, sealer: Sealer) -> SealingServer:
    """The service Sealing of this one's rows."""
    return SealingServer(Resealing(database, sealer, TABLES))
