"""The platform's own services: what each is called, needs and is told.

Each gets only the settings and secrets that it reads (ARCHITECTURE.md has the table).
"""

from __future__ import annotations

import asyncio
import hmac
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from stack.environment import tuning
from stack.ports import listens
from stack.process import Command

PROBE_S: Final = 2.0
OWN_DATABASE: Final = ("auth", "projects", "orchestrator", "logsink")
MODULES: Final = {
    "auth": "control.auth",
    "projects": "control.projects",
    "logsink": "logsink",
    "orchestrator": "orchestrator",
    "gateway": "control.gateway",
    "router": "router",
}
# What must be ready before it starts. `databases` is the step that makes them and migrates.
AFTER: Final[dict[str, tuple[str, ...]]] = {
    "auth": ("databases", "valkey"),
    "projects": ("databases", "valkey"),
    "logsink": ("databases", "valkey"),
    "router": ("valkey", "seaweed"),
    "orchestrator": ("databases", "valkey", "seaweed"),
    "gateway": ("auth", "projects", "logsink"),
}


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that the services' environments are made of.

    Attributes:
        state: the state directory.
        run_dir: short folder for sockets.
        host: that router and gateway listen on.
        ports: by name, e.g. "auth", "auth.admin".
        databases: URL by service.
        redis_url: of Valkey or Redis.
        s3: the variables SHIPOFF_S3_….
        service_token: between services.
        env_key: seals env vars, signing keys and second factors.
        env_keys: several of them, the first one seals; "" leaves it to `env_key` (stack/keys.py).
        workers: of the router.
        owner: pid whose end ends everything.
        log_level: of all.
        public_url: how people reach the gateway, "" for its own address.
        runtimes: folder with the runtimes that the platform unpacked for users' apps.
    """

    state: Path
    run_dir: Path
    host: str
    ports: Mapping[str, int]
    databases: Mapping[str, str]
    redis_url: str
    s3: Mapping[str, str]
    service_token: str
    env_key: str
    workers: int
    owner: int
    log_level: str
    runtimes: str
    env_keys: str = ""
    public_url: str = ""

    @property
    def requests_token(self) -> str:
        """What routers show to logsink; it tells nothing of the service token."""
        return hmac.digest(self.service_token.encode(), b"requests", "sha256").hex()

    @property
    def mails(self) -> Path:
        """Where mails lie for the operator to read."""
        return self.state / "mails"

    @property
    def gateway_url(self) -> str:
        """Where people and the orchestrator reach the gateway."""
        return f"http://{_reachable(self.host)}:{self.ports['gateway']}"

    @property
    def router_url(self) -> str:
        """Where the router answers."""
        return f"http://{_reachable(self.host)}:{self.ports['router']}"

    @property
    def apps_url(self) -> str:
        """A project's address, as a template."""
        return f"http://{{project}}.localhost:{self.ports['router']}"

    def environment(self, service: str) -> dict[str, str]:
        """The platform's variables for a service."""
        shared = {
            "SHIPOFF_LOG_LEVEL": self.log_level,
            "SHIPOFF_OWNER_PID": str(self.owner),
            "SHIPOFF_RUN_DIR": str(self.run_dir),
        }
        host = self.host if service in ("gateway", "router") else "127.0.0.1"
        own = {"LISTEN": f"{host}:{self.ports[service]}", "ADMIN": f"127.0.0.1:{self.ports[service + '.admin']}"}
        own |= self._own(service)
        return shared | self._reached(service) | {f"SHIPOFF_{service.upper()}_{name}": own[name] for name in own}

    def _own(self, service: str) -> dict[str, str]:
        match service:
            case "auth":
                return {
                    "DATABASE_URL": self.databases[service],
                    "SEAL_KEY": self.env_keys or self.env_key,
                    "CONSUMER": "auth",
                    "PUBLIC_URL": self.public_url or self.gateway_url,
                    "MAIL_DIR": str(self.mails),  # unless the operator has set SHIPOFF_AUTH_SMTP_URL
                }
            case "logsink":
                return {"DATABASE_URL": self.databases[service]}
            case "projects":
                own = {"DATABASE_URL": self.databases[service], "CONSUMER": "projects", "APPS_URL": self.apps_url}
                return own | self._keys
            case "orchestrator":
                return {
                    "DATABASE_URL": self.databases[service],
                    "WORK_DIR": str(self.state / "apps"),
                    "APPS_URL": self.apps_url,
                    "RUNTIMES_DIR": self.runtimes,
                } | self._keys
            case "gateway":
                return {
                    "REPOS_DIR": str(self.state / "repos"),
                    "PUBLIC_URL": self.public_url or self.gateway_url,
                    "APPS_URL": self.apps_url,
                }
            case _:
                return {"WORKERS": str(self.workers), "STATE_DIR": str(self.state / "table"), "NODE": "local"}

    @property
    def _keys(self) -> dict[str, str]:
        return {"ENV_KEYS": self.env_keys} if self.env_keys else {"ENV_KEY": self.env_key}

    def _reached(self, service: str) -> dict[str, str]:
        """What a service needs to reach others."""
        found = {"SHIPOFF_REDIS_URL": self.redis_url}
        if service in ("orchestrator", "router"):
            found |= self.s3
        if service == "router":
            found["SHIPOFF_LOGSINK_ADDRESS"] = f"127.0.0.1:{self.ports['logsink']}"
        else:
            found["SHIPOFF_SERVICE_TOKEN"] = self.service_token
            for other in OWN_DATABASE:
                found[f"SHIPOFF_{other.upper()}_ADDRESS"] = f"127.0.0.1:{self.ports[other]}"
        if service in ("router", "logsink"):
            found["SHIPOFF_REQUESTS_TOKEN"] = self.requests_token
        if service == "orchestrator":
            found["SHIPOFF_GATEWAY_URL"] = self.gateway_url
        return found


class Service:
    """One service as a unit (stack/unit.py).

    Args:
        name: of MODULES.
        plan: the stack's.
        inherited: the environment that every process starts from.
    """

    stop_signal = signal.SIGTERM
    ready_within_s = 60.0

    def __init__(self, name: str, plan: Plan, inherited: Mapping[str, str]) -> None:
        self.name = name
        # The router lets requests end, the orchestrator puts down builds; both bound that themselves.
        self.stop_within_s = 30.0 if name in ("router", "orchestrator") else 12.0
        self.admin = f"127.0.0.1:{plan.ports[name + '.admin']}"
        self._command = Command(
            [sys.executable, "-m", MODULES[name]],
            {**inherited, **_outward(name, inherited), **tuning([name]), **plan.environment(name)},
            plan.state,
        )

    async def prepare(self) -> None:
        """Services make what they need themselves."""

    def command(self) -> Command:
        """`python -m <module>`."""
        return self._command

    async def probe(self, pid: int) -> str:
        """Asks /readyz, of this process and of no other that has its port."""
        missing = await ask_readyz(self.admin)
        if not missing and not listens(pid, int(self.admin.rpartition(":")[2])):
            return f"another process answers on its admin port ({self.admin})"
        return missing

    def cleanup(self) -> None:
        """Nothing lies outside the state directory."""


def _outward(service: str, inherited: Mapping[str, str]) -> dict[str, str]:
    """The operator's proxy, for the service whose builds go out through it."""
    proxy = inherited.get("HTTPS_PROXY") or inherited.get("https_proxy") or ""
    return {"SHIPOFF_ORCHESTRATOR_HTTPS_PROXY": proxy} if service == "orchestrator" and proxy else {}


async def ask_readyz(address: str) -> str:
    """GETs /readyz of an admin door.

    Args:
        address: host:port.

    Returns:
        "" when it answers 200, else what it said.
    """
    host, _, port = address.rpartition(":")
    try:
        async with asyncio.timeout(PROBE_S):
            reader, writer = await asyncio.open_connection(host, int(port))
            try:
                writer.write(f"GET /readyz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n".encode())
                answer = (await reader.read(4096)).decode(errors="replace")
            finally:
                writer.close()
    except (OSError, TimeoutError) as error:
        return f"/readyz does not answer: {error!r}"
    head, _, body = answer.partition("\r\n\r\n")
    return "" if head.startswith("HTTP/1.1 200") else (body.strip() or head.partition("\r\n")[0] or "it hung up")


def _reachable(host: str) -> str:
    return "127.0.0.1" if host in ("0.0.0.0", "::", "") else host  # noqa: S104 — compared, not listened on
