"""The auth domain on a real database."""

from __future__ import annotations

import asyncio
import base64
import json
import secrets
import time
from collections.abc import Iterator
from typing import Any

import jwt
import pytest

from control.auth.keys.service import Keys
from control.auth.limits import Limits
from control.auth.server import AuthServer
from control.auth.tokens.service import Tokens
from kernel.authority import Kind, Principal, acting_as, become, passport, platform
from kernel.database import Database
from kernel.errors import ShipoffError
from kernel.sealing import Sealer
from proto.auth.v1 import auth_pb2 as pb

NO_CONTEXT: Any = None
NO_PROJECTS: Any = None
SEALER = Sealer(base64.b64encode(secrets.token_bytes(32)).decode())


def made(database: Database) -> AuthServer:
    return AuthServer(database, Keys(database, SEALER), Tokens(database, NO_PROJECTS, Limits()))


@pytest.fixture(autouse=True)
def _as_the_platform() -> Iterator[None]:
    with acting_as(platform("test")):
        yield


@pytest.fixture(autouse=True)
async def keys(database: Database) -> Keys:
    keys = Keys(database, SEALER)
    await keys.look()
    return keys


async def principal(server: AuthServer, credential: str) -> Principal:
    """Who the other services hear that it is."""
    found = await server.Authenticate(pb.AuthenticateRequest(credential=credential, address="192.0.2.1"), NO_CONTEXT)
    keys = json.loads((await server.ListKeys(pb.ListKeysRequest(), NO_CONTEXT)).jwks)["keys"]
    return passport.read(found.passport, {key["kid"]: key for key in keys}[passport.key_id(found.passport)])


@pytest.fixture
def database(auth_database: Database) -> Database:
    return auth_database


async def test_one_of_many_first_starts_wins(database: Database) -> None:
    servers = [made(database) for _ in range(8)]
    answers = await asyncio.gather(*(one.Bootstrap(pb.BootstrapRequest(), NO_CONTEXT) for one in servers))
    winners = [answer for answer in answers if answer.created]
    assert len(winners) == 1
    assert {answer.account.id for answer in answers} == {winners[0].account.id}
    assert [answer.token for answer in answers if not answer.created] == [""] * 7
    who = await principal(servers[0], winners[0].token)
    account = winners[0].account.id
    assert (who.kind, who.account_id, who.address) == (Kind.TOKEN, account, "192.0.2.1")
    assert (who.teams, who.scopes, who.only_project) == ({f"tem_{account[4:]}": "OWNER"}, None, "")


async def test_a_secret_is_nowhere_in_the_database(database: Database) -> None:
    server = made(database)
    secret = (await server.Bootstrap(pb.BootstrapRequest(), NO_CONTEXT)).token
    row = await database.fetchrow("select *, encode(secret_hash, 'escape') as shown from api_tokens")
    assert row is not None
    assert secret.startswith(row["prefix"])
    assert len(row["prefix"]) < 12
    assert secret not in str(dict(row))


async def test_further_tokens_belong_to_the_owner_unless_said_otherwise(database: Database) -> None:
    server = made(database)
    owner = (await server.Bootstrap(pb.BootstrapRequest(email="a@b"), NO_CONTEXT)).account
    further = await server.CreateToken(pb.CreateTokenRequest(name="ci"), NO_CONTEXT)
    who = await principal(server, further.token)
    assert (who.name, who.credential_id) == (owner.email, further.token_id)
    with pytest.raises(ShipoffError, match="ACCOUNT_NOT_FOUND"):
        await server.CreateToken(pb.CreateTokenRequest(account_id="acc_x"), NO_CONTEXT)
    with pytest.raises(ShipoffError, match="TOKEN_NAME_INVALID"):
        await server.CreateToken(pb.CreateTokenRequest(name="x" * 101), NO_CONTEXT)


@pytest.mark.parametrize("secret", ["shp_", "shp_" + "a" * 43, "shp_\0", "shp_é", "shp_" + "x" * 10_000])
async def test_what_is_no_token_is_refused_alike(database: Database, secret: str) -> None:
    with pytest.raises(ShipoffError, match="TOKEN_INVALID: the API token is not valid"):
        await principal(made(database), secret)


@pytest.mark.parametrize("secret", ["", "x" * 10_000, "é", "a.b.c"])
async def test_what_is_no_access_token_is_refused(database: Database, secret: str) -> None:
    with pytest.raises(ShipoffError, match="SIGNED_TOKEN_INVALID: the token is not valid"):
        await principal(made(database), secret)


def claims(**change: object) -> dict[str, Any]:
    now = int(time.time())
    return {"iss": "shipoff-auth", "aud": "shipoff-api", "sub": "acc_1", "iat": now, "exp": now + 60, **change}


async def test_a_key_signs_what_verifies_for_its_kind_and_audience_alone(keys: Keys) -> None:
    token = await keys.sign(claims(), typ="at+jwt")
    assert (await keys.verify(token, typ="at+jwt", audience="shipoff-api"))["sub"] == "acc_1"
    for typ, audience in (("passport+jwt", "shipoff-api"), ("at+jwt", "shipoff-services")):
        with pytest.raises(ShipoffError, match="SIGNED_TOKEN_INVALID"):
            await keys.verify(token, typ=typ, audience=audience)
    late = await keys.sign(claims(exp=1), typ="at+jwt")
    with pytest.raises(ShipoffError, match="SIGNED_TOKEN_EXPIRED"):
        await keys.verify(late, typ="at+jwt", audience="shipoff-api")


async def test_keys_take_turns_with_an_overlap(database: Database, keys: Keys) -> None:
    old = await keys.sign(claims(), typ="at+jwt")
    await database.execute("update signing_keys set signs_at = now() - interval '31 days'")
    others = [Keys(database, SEALER) for _ in range(4)]
    await asyncio.gather(*(one.look() for one in [keys, *others]))
    published = (await keys.jwks())["keys"]
    assert len(published) == 2
    still = await keys.sign(claims(), typ="at+jwt")
    assert jwt.get_unverified_header(still)["kid"] == jwt.get_unverified_header(old)["kid"]
    await database.execute("update signing_keys set signs_at = now() where signs_at > now()")
    await keys.look()
    new = await keys.sign(claims(), typ="at+jwt")
    assert jwt.get_unverified_header(new)["kid"] != jwt.get_unverified_header(old)["kid"]
    for token in (old, new):
        assert await others[0].verify(token, typ="at+jwt", audience="shipoff-api")
    await database.execute("update signing_keys set ends_at = now() where id = $1", published[-1]["kid"])
    await keys.look()
    with pytest.raises(ShipoffError, match="SIGNED_TOKEN_INVALID"):
        await keys.verify(old, typ="at+jwt", audience="shipoff-api")


async def test_private_keys_rest_sealed(database: Database, keys: Keys) -> None:
    row = await database.fetchrow("select * from signing_keys")
    assert row is not None
    assert set(row["public_jwk"]) == {"kid", "use", "alg", "kty", "crv", "x"}
    with pytest.raises(ShipoffError, match="SEAL_BROKEN"):
        SEALER.open(row["private_sealed"], "key_other")


async def test_people_are_not_the_platform(database: Database) -> None:
    become(Principal(Kind.SESSION, account_id="acc_1"))
    server = made(database)
    for call in (
        server.Bootstrap(pb.BootstrapRequest(), NO_CONTEXT),
        server.CreateToken(pb.CreateTokenRequest(), NO_CONTEXT),
    ):
        with pytest.raises(ShipoffError, match="PERMISSION_DENIED"):
            await call
