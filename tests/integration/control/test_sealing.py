"""Every sealed column of every service is brought under a new key, and the platform alone may ask for it."""

from __future__ import annotations

import base64
from typing import Any, Final

import pytest

from control.auth.sealing import TABLES as AUTH
from control.projects.env.server import EnvServer
from control.projects.sealing import TABLES as PROJECTS
from control.projects.sealing import sealing
from control.projects.server import ProjectsServer
from kernel.authority import Kind, Principal, Role, acting_as
from kernel.database import Database, migrate
from kernel.errors import ShipoffError
from kernel.resealing import SealedTable
from kernel.sealing import Sealer
from orchestrator.operate.sealing import TABLES as ORCHESTRATOR
from proto.projects.v1 import env_pb2, projects_pb2
from proto.sealing.v1 import sealing_pb2
from tests.integration.control.conftest import LIMITS

NO_CONTEXT: Any = None
# Bytes that are not sealed: events on their way, digests, and what came from outside and is no secret; and what is
# sealed for some seconds only.
OTHERS: Final = {"outbox.envelope", "webhook_deliveries.payload", "refresh_tokens.successor_sealed"}
COLUMNS: Final = """
select table_name || '.' || column_name as name from information_schema.columns
where table_schema = 'public' and data_type = 'bytea'
"""


@pytest.mark.parametrize(
    ("package", "tables"),
    [("control.auth", AUTH), ("control.projects", PROJECTS), ("orchestrator", ORCHESTRATOR), ("logsink", ())],
)
async def test_no_sealed_column_is_forgotten(database_url: str, package: str, tables: tuple[SealedTable, ...]) -> None:
    migrate(database_url, package)
    database = await Database.connect(database_url)
    try:
        found = {row["name"] for row in await database.fetch(COLUMNS)}
        kept = {name for name in found - OTHERS if not name.endswith(("hash", "sha256", "digest"))}
        assert {f"{one.name}.{one.column}" for one in tables} == (kept if package != "logsink" else set())
        for table in tables:  # the statements fit the tables
            assert await database.fetch(table.stale, b"head", 1, *("" for _ in table.key)) == []
    finally:
        await database.close()


async def test_variables_come_under_the_new_key_and_open_without_the_old_one(
    server: ProjectsServer, env_server: EnvServer, database: Database, env_key: str
) -> None:
    project = await server.CreateProject(projects_pb2.CreateProjectRequest(name="blog", team_id="tem_a"), NO_CONTEXT)
    for environment, secret in (("all", False), ("production", True), ("preview/a", False)):
        change = env_pb2.SetEnvRequest(
            project_id=project.id, set={"A": environment, "B": "x"}, environment=environment, secret=secret
        )
        await env_server.SetEnv(change, NO_CONTEXT)
    new = base64.b64encode(bytes(range(32))).decode()
    ring = sealing(database, Sealer(f"new:{new},old:{env_key}"))
    told = [one async for one in ring.Reseal(sealing_pb2.ResealRequest(), NO_CONTEXT)]
    counts = {one.table: (one.resealed, one.broken, list(one.keys)) for one in told}
    assert counts["env_vars.sealed"] == (6, 0, ["new", "old"])
    alone = EnvServer(database, Sealer(new), LIMITS)
    listed = await alone.ListEnv(env_pb2.ListEnvRequest(project_id=project.id), NO_CONTEXT)
    assert len(listed.vars) == 6
    with pytest.raises(ShipoffError, match="SEAL_BROKEN"):
        await env_server.ListEnv(env_pb2.ListEnvRequest(project_id=project.id), NO_CONTEXT)


async def test_nobody_but_the_platform_may_ask(database: Database, sealer: Sealer) -> None:
    owner = Principal(Kind.SESSION, account_id="acc_a", teams={"tem_a": Role.OWNER})
    with acting_as(owner), pytest.raises(ShipoffError, match="PERMISSION_DENIED"):
        await anext(sealing(database, sealer).Reseal(sealing_pb2.ResealRequest(), NO_CONTEXT))
