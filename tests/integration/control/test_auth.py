"""The auth domain on a real database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from control.auth.server import AuthServer
from kernel.database import Database, migrate
from kernel.errors import ShipoffError
from proto.auth.v1 import auth_pb2 as pb

NO_CONTEXT: Any = None


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    migrate(database_url, "control.auth")
    opened = await Database.connect(database_url, max_size=8)
    yield opened
    await opened.close()


async def test_one_of_many_first_starts_wins(database: Database) -> None:
    servers = [AuthServer(database) for _ in range(8)]
    answers = await asyncio.gather(*(one.Bootstrap(pb.BootstrapRequest(), NO_CONTEXT) for one in servers))
    winners = [answer for answer in answers if answer.created]
    assert len(winners) == 1
    assert {answer.account.id for answer in answers} == {winners[0].account.id}
    assert [answer.token for answer in answers if not answer.created] == [""] * 7
    checked = await servers[0].CheckToken(pb.CheckTokenRequest(token=winners[0].token), NO_CONTEXT)
    assert checked.account.id == winners[0].account.id


async def test_a_secret_is_nowhere_in_the_database(database: Database) -> None:
    server = AuthServer(database)
    secret = (await server.Bootstrap(pb.BootstrapRequest(), NO_CONTEXT)).token
    row = await database.fetchrow("select *, encode(secret_hash, 'escape') as shown from api_tokens")
    assert row is not None
    assert secret.startswith(row["prefix"])
    assert len(row["prefix"]) < 12
    assert secret not in str(dict(row))


async def test_further_tokens_belong_to_the_owner_unless_said_otherwise(database: Database) -> None:
    server = AuthServer(database)
    owner = (await server.Bootstrap(pb.BootstrapRequest(email="a@b"), NO_CONTEXT)).account
    further = await server.CreateToken(pb.CreateTokenRequest(name="ci"), NO_CONTEXT)
    checked = await server.CheckToken(pb.CheckTokenRequest(token=further.token), NO_CONTEXT)
    assert (checked.account.email, checked.token_id) == (owner.email, further.token_id)
    with pytest.raises(ShipoffError, match="ACCOUNT_NOT_FOUND"):
        await server.CreateToken(pb.CreateTokenRequest(account_id="acc_x"), NO_CONTEXT)
    with pytest.raises(ShipoffError, match="TOKEN_NAME_INVALID"):
        await server.CreateToken(pb.CreateTokenRequest(name="x" * 101), NO_CONTEXT)


@pytest.mark.parametrize("secret", ["", "shp_", "shp_" + "a" * 43, "x" * 10_000, "shp_\0", "é"])
async def test_what_is_no_token_is_refused_alike(database: Database, secret: str) -> None:
    with pytest.raises(ShipoffError, match="TOKEN_INVALID: the API token is not valid"):
        await AuthServer(database).CheckToken(pb.CheckTokenRequest(token=secret), NO_CONTEXT)
