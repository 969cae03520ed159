"""Auth's gRPC services and those of projects, on real databases, called as they are in the platform."""

from __future__ import annotations

import base64
import secrets
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from importlib import import_module
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest

from control.auth.accounts.service import create
from control.auth.doors import doors
from control.auth.keys.service import Keys
from control.auth.limiting.service import Limiter
from control.auth.limits import Limits
from control.auth.mail.service import Mails
from control.auth.owned import Owned
from control.projects.previews.service import PreviewLimits
from control.projects.server import ProjectsServer
from control.projects.teams.server import OwningTeamsServer
from kernel.authority import Border
from kernel.database import Database, migrate
from kernel.errors import ShipoffError
from kernel.rpc import RpcClient, RpcServer, wire
from kernel.sealing import Sealer
from proto.projects.v1.projects_pb2_grpc import add_ProjectsServicer_to_server
from proto.projects.v1.teams_pb2_grpc import add_OwningTeamsServicer_to_server

TOKEN = "service-token"
MODULES = {
    "Auth": "auth.v1.auth",
    "Audit": "auth.v1.audit",
    "Teams": "auth.v1.teams",
    "Invitations": "auth.v1.invitations",
    "Members": "auth.v1.members",
    "ProjectMembers": "auth.v1.members",
    "Tokens": "auth.v1.tokens",
    "Projects": "projects.v1.projects",
}


@dataclass(frozen=True)
class Person:
    """Somebody with an account, and a token that may do what the account may."""

    id: str
    email: str
    token: str

    @property
    def team(self) -> str:
        return f"tem_{self.id[4:]}"


class Passport(str):
    """What a service is shown; it may be a minute old."""


class World:
    """Asks the services as somebody."""

    def __init__(self, auth: Database, projects: Database, clients: dict[str, RpcClient]) -> None:
        self.auth, self.projects = auth, projects
        self._clients = clients

    async def person(self, name: str, *, verified: bool = True) -> Person:
        async with self.auth.transaction() as tx:
            account = await create(tx, f"{name}@example.org", name, verified=verified)
        assert account is not None
        made = await self.ask(None, "Auth", "CreateToken", account_id=account.id, name="all")
        return Person(account.id, account.email, made.token)

    async def team(self, owner: Person, **roles: Person) -> str:
        """A team with further members: ADMIN=bob."""
        team = await self.ask(owner, "Teams", "CreateTeam", name="Acme", slug=f"t{secrets.token_hex(6)}")
        for role, person in roles.items():
            await self.join(team.id, person, role)
        return str(team.id)

    async def join(self, team_id: str, person: Person, role: str) -> None:
        await self.auth.execute(
            "insert into team_members (team_id, account_id, role) values ($1, $2, $3)", team_id, person.id, role
        )

    async def project(self, owner: Person, team_id: str) -> str:
        name = f"p{secrets.token_hex(6)}"
        return str((await self.ask(owner, "Projects", "CreateProject", name=name, team_id=team_id)).id)

    async def ask(self, who: Person | str | None, service: str, method: str, **fields: Any) -> Any:
        """The answer to a call.

        Args:
            who: shows their token, or this credential, or a passport from before; None is the platform.
            fields: of the request.
        """
        said = "platform:test" if who is None else await self.passport(who)
        module = MODULES[service]
        pb, rpc = import_module(f"proto.{module}_pb2"), import_module(f"proto.{module}_pb2_grpc")
        described = pb.DESCRIPTOR.services_by_name[service].methods_by_name[method]
        request = getattr(pb, described.input_type.name)(**fields)
        stub = self._clients[module.partition(".")[0]].stub(getattr(rpc, f"{service}Stub"))
        before = wire.identity.set(said)
        try:
            return await getattr(stub, method)(request)
        finally:
            wire.identity.reset(before)

    async def passport(self, who: Person | str) -> Passport:
        """What the other services are shown for somebody; "" is nobody."""
        credential = who.token if isinstance(who, Person) else who
        if isinstance(credential, Passport) or not credential:
            return Passport(credential)
        shown = {"credential": credential, "address": "192.0.2.7"}
        return Passport((await self.ask(None, "Auth", "Authenticate", **shown)).passport)

    async def refused(self, who: Person | str | None, service: str, method: str, **fields: Any) -> str:
        """The code of the error that a call must end with."""
        with pytest.raises(ShipoffError) as caught:
            await self.ask(who, service, method, **fields)
        return caught.value.code

    async def records(self, team_id: str) -> list[dict[str, Any]]:
        """The team's audit log, oldest first."""
        rows = await self.auth.fetch("select * from audit_events where team_id = $1 order by id", team_id)
        return [dict(row) for row in rows]


@pytest.fixture
def limits() -> Limits:
    return Limits()


@pytest.fixture(scope="session")
def migrated(servers: Any, postgres_url: str) -> Iterator[dict[str, str]]:
    """Names of databases with the schemas, to be copied: that is ten times as fast as migrating."""
    made = {}
    for package in ("control.auth", "control.projects"):
        name = made[package] = f"template_{secrets.token_hex(6)}"
        servers.run(_execute(postgres_url, f"create database {name} template template0"))
        migrate(urlunsplit(urlsplit(postgres_url)._replace(path=f"/{name}")), package)
    yield made
    for name in made.values():
        servers.run(_execute(postgres_url, f"drop database {name} with (force)"))


@pytest.fixture
async def databases(migrated: dict[str, str], postgres_url: str) -> AsyncIterator[list[Database]]:
    """Of auth and of projects."""
    names, opened = [f"test_{secrets.token_hex(6)}" for _ in migrated], []
    for name, template in zip(names, migrated.values(), strict=True):
        await _execute(postgres_url, f"create database {name} template {template}")
        url = urlunsplit(urlsplit(postgres_url)._replace(path=f"/{name}"))
        opened.append(await Database.connect(url, max_size=8))
    yield opened
    for name, database in zip(names, opened, strict=True):
        await database.close()
        await _execute(postgres_url, f"drop database {name} with (force)")


async def _execute(url: str, sql: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(sql)
    finally:
        await connection.close()


@pytest.fixture
async def world(databases: list[Database], limits: Limits) -> AsyncIterator[World]:
    auth, projects = databases
    sealer = Sealer(base64.b64encode(secrets.token_bytes(32)).decode())
    keys = Keys(auth, sealer)
    await keys.look()

    async def jwks() -> dict[str, dict[str, str]]:
        return {jwk["kid"]: jwk for jwk in (await keys.jwks())["keys"]}

    servers = [RpcServer("127.0.0.1:0", TOKEN, admit=Border(jwks).enter) for _ in range(2)]
    servers[1].add(add_ProjectsServicer_to_server, ProjectsServer(projects, sealer, PreviewLimits(2, 7)))
    servers[1].add(add_OwningTeamsServicer_to_server, OwningTeamsServer(projects))
    address = f"127.0.0.1:{await servers[1].start()}"
    to_projects = RpcClient(address, TOKEN, caller="")
    inner = RpcClient(address, TOKEN, caller="platform:auth")
    mails = Mails(sealer, "https://shipoff.example")
    for add, servicer in doors(auth, keys, Owned(inner), mails, Limiter(None), limits):
        servers[0].add(add, servicer)
    to_auth = RpcClient(f"127.0.0.1:{await servers[0].start()}", TOKEN, caller="")
    try:
        yield World(auth, projects, {"auth": to_auth, "projects": to_projects})
    finally:
        for client in (to_auth, to_projects, inner):
            await client.close()
        for server in servers:
            await server.stop(0)
