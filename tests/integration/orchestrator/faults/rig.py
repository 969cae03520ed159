"""A whole platform whose parts a test kills, stops and starts one by one; nothing restarts them behind its back.

The units are those of `shipoff up` (stack/), without its supervisor. Postgres and Valkey are the rig's own, the object
store is the session's behind a relay that can refuse and be slow.
"""

# environ: the services inherit the environment that pytest runs in

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from kernel.database import migrate
from kernel.errors import ShipoffError
from kernel.rpc import RpcClient
from orchestrator.drivers.local.driver import LocalDriver
from orchestrator.drivers.local.layout import LocalConfig
from proto.auth.v1 import auth_pb2
from proto.auth.v1.auth_pb2_grpc import AuthStub
from stack.process import Process
from stack.servers.postgres import Postgres
from stack.servers.valkey import Valkey
from stack.services import MODULES, OWN_DATABASE, Plan, Service
from stack.unit import Unit, launch
from tests.e2e.world import Platform
from tests.integration.orchestrator.faults.clock import Clock
from tests.integration.orchestrator.workshop import dismantle

TRIES = 5
FAST = {"fsync": "off", "full_page_writes": "off"}  # commits are synchronous: a killed server has what it confirmed
TUNING = {
    "SHIPOFF_ORCHESTRATOR_START_S": "12",
    "SHIPOFF_ORCHESTRATOR_DRAIN_S": "5",
    "SHIPOFF_ORCHESTRATOR_WARM_S": "0",  # what a deployment replaced is gone when it is done, so orphans show
    "SHIPOFF_ORCHESTRATOR_LEASE_S": "3",
}


class Relay:
    """A TCP relay in front of a server.

    Attributes:
        refuse: new connections are closed at once, and open ones cut.
        pause_s: before each piece that is passed on.
    """

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self.refuse, self.pause_s = False, 0.0
        self._open: set[asyncio.StreamWriter] = set()
        self.port = 0

    async def start(self) -> None:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]

    async def set(self, *, refuse: bool = False, pause_s: float = 0.0) -> None:
        self.refuse, self.pause_s = refuse, pause_s
        if refuse:
            for writer in self._open:
                writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.refuse:
            writer.transport.abort()
            return
        there_reader, there = await asyncio.open_connection(*self._target)
        self._open |= {writer, there}
        try:
            await asyncio.gather(self._pass(reader, there), self._pass(there_reader, writer))
        finally:
            self._open -= {writer, there}

    async def _pass(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        try:
            while data := await source.read(65536):
                await asyncio.sleep(self.pause_s)
                sink.write(data)
                await sink.drain()
        except OSError:
            pass
        finally:
            sink.close()


@dataclass
class Rig:
    """The units and the platform that they make.

    Attributes:
        failpoint: the file in which a test names the boundary at which the orchestrator is to die.
        clock: of everything that is started here; None where there is no C compiler.
    """

    servers: Any  # Servers of tests/conftest.py
    folder: Path
    plan: Plan
    platform: Platform
    s3: Relay
    clock: Clock | None
    running: dict[str, tuple[Unit, Process]] = field(default_factory=dict)

    @property
    def failpoint(self) -> Path:
        return self.folder / "failpoint"

    def start(self, unit: Unit) -> None:
        """Starts a unit and waits until it is ready."""
        with (self.folder / f"{unit.name}.log").open("ab") as log:
            process = self.servers.run(launch(self.clock.of(unit) if self.clock else unit, log.fileno()))
        self.running[unit.name] = (unit, process)

    def service(self, name: str) -> Service:
        tuning = {**TUNING, "SHIPOFF_ORCHESTRATOR_FAILPOINT": str(self.failpoint)}
        return Service(name, self.plan, {**os.environ, **tuning})

    def send(self, name: str, number: int) -> None:
        """Sends a signal to a unit."""
        self.running[name][1].send(number)

    def ended(self, name: str) -> bool:
        return self.running[name][1].returncode is not None

    def end(self, name: str, number: int = signal.SIGKILL) -> None:
        """Ends a unit, or waits for the end of one that dies by itself."""
        unit, process = self.running.pop(name)
        process.send(number)
        self.servers.run(process.wait())
        unit.cleanup()

    def restart(self, name: str, number: int = signal.SIGKILL) -> None:
        """Ends a unit and starts it again, as a supervisor would: a killed server's children take their time to end."""
        unit = self.running[name][0]
        self.end(name, number)
        for _ in range(TRIES):
            with contextlib.suppress(ShipoffError):
                self.start(unit)
                return
        raise AssertionError(f"{name} does not start again")

    def close(self) -> None:
        """Ends everything, also what the orchestrator left running."""
        if "orchestrator" in self.running:
            self.end("orchestrator", signal.SIGTERM)
        self.servers.run(self._dismantle())
        for name in reversed(list(self.running)):
            self.end(name, signal.SIGTERM if name in MODULES else signal.SIGKILL)

    async def _dismantle(self) -> None:
        config = LocalConfig(self.plan.state / "apps", self.plan.run_dir, owner_pid=os.getpid())
        driver = LocalDriver(config)
        await driver.open()
        await dismantle(driver, config)


def build(servers: Any, folder: Path, run_dir: Path, ports: Mapping[str, int], s3: Any, clock: Clock | None) -> Rig:
    """Starts the platform.

    Args:
        servers: of tests/conftest.py.
        folder: for its state.
        run_dir: for its sockets, short.
        ports: of the services and their admin doors.
        s3: address of the object store.
        clock: for all of it.
    """
    postgres = Postgres(folder / "postgres", run_dir, secrets.token_hex(16), FAST)
    valkey = Valkey(folder / "valkey", run_dir, secrets.token_hex(16))
    target = urlsplit(s3.endpoint)
    relay = Relay(str(target.hostname), int(target.port or 80))
    servers.run(relay.start())
    plan = Plan(
        state=folder, run_dir=run_dir, host="127.0.0.1", ports=ports,
        databases={name: urlunsplit(urlsplit(postgres.url())._replace(path=f"/{name}")) for name in OWN_DATABASE},
        redis_url=valkey.url,
        s3={
            "SHIPOFF_S3_ENDPOINT": f"http://127.0.0.1:{relay.port}",
            "SHIPOFF_S3_ACCESS_KEY": s3.access_key,
            "SHIPOFF_S3_SECRET_KEY": s3.secret_key,
            "SHIPOFF_S3_BUCKET": s3.bucket,
            "SHIPOFF_S3_REGION": s3.region,
        },
        service_token=secrets.token_urlsafe(24), env_key="A" * 43 + "=", workers=2, owner=os.getpid(),
        log_level="INFO", runtimes="",
    )  # fmt: skip
    platform = Platform(folder, plan.gateway_url, plan.router_url, "")
    rig = Rig(servers, folder, plan, platform, relay, clock)
    rig.start(postgres)
    rig.start(valkey)
    servers.run(_databases(postgres.url(), plan))
    for name in ("auth", "projects", "logsink", "router", "gateway", "orchestrator"):
        rig.start(rig.service(name))
    platform.token = servers.run(_owner(plan))
    return rig


async def _databases(admin_url: str, plan: Plan) -> None:
    connection = await asyncpg.connect(admin_url)
    for name in OWN_DATABASE:
        await connection.execute(f"create database {name} template template0")
    await connection.close()
    for name in OWN_DATABASE:
        await asyncio.to_thread(migrate, plan.databases[name], MODULES[name])


async def _owner(plan: Plan) -> str:
    client = RpcClient(f"127.0.0.1:{plan.ports['auth']}", plan.service_token)
    try:
        answer = await client.stub(AuthStub).Bootstrap(auth_pb2.BootstrapRequest(email="ada@example.org"))
        return str(answer.token)
    finally:
        await client.close()
