"""A control plane of real processes on real servers; the orchestrator's part is played by the tests (driver.py)."""

# environ: the services inherit the environment that pytest runs in
from __future__ import annotations

import base64
import os
import secrets
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest
from redis.asyncio import Redis

from control.projects.env.server import EnvServer
from control.projects.environments.server import EnvironmentsServer
from control.projects.previews.service import PreviewLimits
from control.projects.server import ProjectsServer
from kernel.authority import acting_as, platform
from kernel.database import Database, migrate
from kernel.rpc import RpcClient
from kernel.sealing import Sealer
from kernel.streams import connect
from proto.auth.v1 import auth_pb2
from proto.auth.v1.auth_pb2_grpc import AuthStub
from stack.ports import free_ports
from tests.integration.control import dns
from tests.integration.control.driver import Driver, Plane
from tests.integration.control.github import GitHubServer
from tests.integration.control.processes import MODULES, running
from tests.integration.control.realm import Realm
from tests.integration.control.yard import Yard

SCHEMAS = {"auth": "control.auth", "projects": "control.projects", "logsink": "logsink", "orchestrator": "orchestrator"}


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """Of the projects service, empty."""
    async with _migrated(database_url, "control.projects") as opened:
        yield opened


@pytest.fixture
async def streams(redis_server: str) -> AsyncIterator[Redis]:
    """A Redis database that is empty, and from which the plane's processes take nothing."""
    redis = connect(f"{redis_server}{'&' if '?' in redis_server else '?'}db=1")
    await redis.flushdb()
    yield redis
    await redis.aclose()


@pytest.fixture
async def auth_database(database_url: str) -> AsyncIterator[Database]:
    """Of the service auth, empty."""
    async with _migrated(database_url, "control.auth") as opened:
        yield opened


@asynccontextmanager
async def _migrated(url: str, package: str) -> AsyncIterator[Database]:
    migrate(url, package)
    opened = await Database.connect(url, max_size=8)
    yield opened
    await opened.close()


LIMITS = PreviewLimits(2, 7)


@pytest.fixture
def env_key() -> str:
    """Of the projects service."""
    return base64.b64encode(secrets.token_bytes(32)).decode()


@pytest.fixture
def sealer(env_key: str) -> Sealer:
    """With that key."""
    return Sealer(env_key)


@pytest.fixture
def server(database: Database, sealer: Sealer) -> Iterator[ProjectsServer]:
    """The projects service itself, called without a network by the platform."""
    with acting_as(platform("test")):
        yield ProjectsServer(database, sealer, LIMITS)


@pytest.fixture
def env_server(database: Database, sealer: Sealer) -> EnvServer:
    """Its env vars; to be used together with `server`."""
    return EnvServer(database, sealer, LIMITS)


@pytest.fixture
def environments_server(database: Database, sealer: Sealer) -> EnvironmentsServer:
    """Its environments; to be used together with `server`."""
    return EnvironmentsServer(database, sealer)


@pytest.fixture
def names() -> Iterator[dns.Names]:
    """The zone of a name server of this test's own."""
    with dns.served() as serving:
        yield serving


@pytest.fixture
async def realm(database: Database, server: ProjectsServer, names: dns.Names) -> AsyncIterator[Realm]:
    """Domains, acted on by the platform."""
    with acting_as(platform("test")):
        yield Realm(database, server, names)


@pytest.fixture
async def yard(database: Database, tmp_path: Path) -> AsyncIterator[Yard]:
    """A projects service whose webhooks are worked off by hand, with a GitHub of its own."""
    async with GitHubServer(tmp_path / "github") as github:
        made = Yard(database, github)
        with acting_as(platform("test")):
            yield made
        await made.close()


@pytest.fixture(scope="session")
def plane_names() -> Iterator[dns.Names]:
    """The zone of the name server that the plane's projects service asks."""
    with dns.served() as serving:
        yield serving


@pytest.fixture(scope="session")
def plane(servers: object, postgres_url: str, redis_server: str, plane_names: dns.Names) -> Iterator[Plane]:
    """The processes, ready, with an owner and his token."""
    with tempfile.TemporaryDirectory(prefix="shipoff-control-") as folder:
        ports = dict(
            zip(
                [f"{name}.{door}" for name in MODULES for door in ("listen", "admin")],
                free_ports(2 * len(MODULES)),
                strict=True,
            )
        )
        environment = _environment(Path(folder), ports, redis_server)
        environment["SHIPOFF_PROJECTS_DNS_SERVERS"] = plane_names.server
        for name, package in SCHEMAS.items():
            url = servers.run(_database(postgres_url))  # type: ignore[attr-defined]  # Servers of tests/conftest.py
            migrate(url, package)
            environment[f"SHIPOFF_{name.upper()}_DATABASE_URL"] = url
        with running(MODULES, environment, Path(folder)) as processes:
            token = servers.run(_bootstrap(ports["auth.listen"], environment))  # type: ignore[attr-defined]
            service_token = environment["SHIPOFF_SERVICE_TOKEN"]
            yield Plane(ports, service_token, token, redis_server, environment, processes)


@pytest.fixture
async def driver(plane: Plane) -> AsyncIterator[Driver]:
    """Plays the orchestrator for the length of a test."""
    async with Driver(plane) as playing:
        yield playing


def _environment(folder: Path, ports: dict[str, int], redis_url: str) -> dict[str, str]:
    addresses = {f"SHIPOFF_{name.upper()}_ADDRESS": f"127.0.0.1:{ports[name + '.listen']}" for name in MODULES}
    doors = {
        f"SHIPOFF_{name.upper()}_{door.upper()}": f"127.0.0.1:{ports[f'{name}.{door}']}"
        for name in MODULES
        for door in ("listen", "admin")
    }
    return {
        **os.environ,
        **addresses,
        **doors,
        "SHIPOFF_SERVICE_TOKEN": secrets.token_urlsafe(24),
        "SHIPOFF_AUTH_SEAL_KEY": base64.b64encode(secrets.token_bytes(32)).decode(),
        "SHIPOFF_PROJECTS_ENV_KEY": base64.b64encode(secrets.token_bytes(32)).decode(),
        # Hooks of tests go to receivers on this machine.
        "SHIPOFF_PROJECTS_HOOKS_ALLOW": "127.0.0.0/8",
        "SHIPOFF_PROJECTS_HOOKS_INSECURE": "1",
        "SHIPOFF_PROJECTS_HOOKS_PORTS": "any",
        "SHIPOFF_REDIS_URL": redis_url,
        "SHIPOFF_GATEWAY_REPOS_DIR": str(folder / "repos"),
        "SHIPOFF_AUTH_ADDRESS_ATTEMPTS": "100000",  # all tests are one client
        "SHIPOFF_AUTH_ADDRESS_MAILS": "100000",
        "SHIPOFF_AUTH_MAIL_DIR": str(folder / "mails"),
        "SHIPOFF_AUTH_PUBLIC_URL": f"http://127.0.0.1:{ports['gateway.listen']}",
        "SHIPOFF_GATEWAY_PUBLIC_URL": f"http://127.0.0.1:{ports['gateway.listen']}",
        "SHIPOFF_GATEWAY_PUSH_BYTES": str(2 * 1024 * 1024),
        "SHIPOFF_GATEWAY_PUSH_WAIT_S": "8",
        # one token and one address send what all tests send; limits have tests of their own
        **{f"SHIPOFF_GATEWAY_RATE_{kind}": "0" for kind in ("CREDENTIAL", "ADDRESS", "AUTH")},
        "SHIPOFF_RUN_DIR": str(folder / "run"),
        "SHIPOFF_OWNER_PID": str(os.getpid()),
    }


async def _database(postgres_url: str) -> str:
    name = f"control_{secrets.token_hex(6)}"
    connection = await asyncpg.connect(postgres_url)
    try:
        await connection.execute(f"create database {name} template template0")
    finally:
        await connection.close()
    return urlunsplit(urlsplit(postgres_url)._replace(path=f"/{name}"))


async def _bootstrap(port: int, environment: dict[str, str]) -> str:
    client = RpcClient(f"127.0.0.1:{port}", environment["SHIPOFF_SERVICE_TOKEN"])
    try:
        answer = await client.stub(AuthStub).Bootstrap(auth_pb2.BootstrapRequest(email="ada@example.org"))
        assert answer.created
        return str(answer.token)
    finally:
        await client.close()
