"""Draws up a stack: which servers are ours, where everything listens, and what each service is told."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, urlsplit, urlunsplit

from stack import runtimes
from stack.servers.postgres import Postgres
from stack.servers.seaweed import S3Address, Seaweed
from stack.servers.valkey import Valkey
from stack.services import OWN_DATABASE, Plan
from stack.settings import StackSettings
from stack.state import State
from stack.unit import Unit

DATABASES: Final = {"auth": "auth", "projects": "projects", "orchestrator": "orchestrator", "logsink": "logs"}


@dataclass(frozen=True, slots=True)
class Blueprint:
    """A stack on paper.

    Attributes:
        plan: for the services.
        servers: those that are ours, by name.
        admin_url: a Postgres role that may create databases; secret.
    """

    plan: Plan
    servers: Mapping[str, Unit]
    admin_url: str


def draw_up(state: State, settings: StackSettings) -> Blueprint:
    """Chooses ports and addresses for a stack.

    Args:
        state: its directory, locked.
        settings: the operator's.

    Raises:
        ShipoffError: NO_PORT, NO_SERVER, STATE_UNUSABLE.
    """
    secret, run_dir = state.secrets(), state.run_dir()
    seaweed_ports = {} if settings.s3_endpoint else Seaweed.choose_ports()
    ports = state.ports(settings, {f"seaweed.{name}": port for name, port in seaweed_ports.items()})
    servers: dict[str, Unit] = {}
    admin_url, redis_url, s3 = settings.postgres_url, settings.redis_url, _given_s3(settings)
    if not admin_url:
        postgres = Postgres(state.directory / "postgres", run_dir, secret["postgres"])
        servers["postgres"], admin_url = postgres, postgres.url()
    if not redis_url:
        valkey = Valkey(state.directory / "valkey", run_dir, secret["valkey"])
        servers["valkey"], redis_url = valkey, valkey.url
    if not settings.s3_endpoint:
        seaweed = Seaweed(
            state.directory / "seaweed",
            run_dir,
            access_key=secret["s3_access"],
            secret_key=secret["s3_secret"],
            signing_key=secret["s3_signing"],
            bucket=settings.s3_bucket,
            ports={name: ports[f"seaweed.{name}"] for name in seaweed_ports},
        )
        servers["seaweed"], s3 = seaweed, seaweed.address
    plan = Plan(
        state=state.directory,
        run_dir=run_dir,
        host=settings.host,
        public_url=settings.public_url,
        ports=ports,
        databases={name: _database_url(admin_url, settings.prefix, name, secret) for name in OWN_DATABASE},
        redis_url=redis_url,
        s3=_s3_variables(s3),
        service_token=secret["service_token"],
        env_key=secret["env_key"],
        env_keys=secret.get("env_keys", ""),
        workers=settings.workers(),
        owner=os.getpid(),
        log_level=settings.log_level,
        runtimes=str(runtimes.directory()),
    )
    return Blueprint(plan, servers, admin_url)


def databases(prefix: str, plan: Plan, secret: Mapping[str, str]) -> list[dict[str, str]]:
    """What stack/prepare.py makes: a database and a role for each service that has one."""
    return [
        {
            "service": name,
            "database": f"{prefix}_{DATABASES[name]}",
            "role": f"{prefix}_{name}",
            "password": secret[f"role_{name}"],
            "url": plan.databases[name],
        }
        for name in OWN_DATABASE
    ]


def _database_url(admin_url: str, prefix: str, service: str, secret: Mapping[str, str]) -> str:
    """The administrator's URL with a service's own role and database."""
    given = urlsplit(admin_url)
    account = f"{quote(f'{prefix}_{service}')}:{quote(secret[f'role_{service}'], safe='')}"
    host = given.netloc.rpartition("@")[2]
    return urlunsplit(given._replace(netloc=f"{account}@{host}", path=f"/{prefix}_{DATABASES[service]}"))


def _given_s3(settings: StackSettings) -> S3Address:
    return S3Address(
        settings.s3_endpoint, settings.s3_access_key, settings.s3_secret_key, settings.s3_bucket, settings.s3_region
    )


def _s3_variables(address: S3Address) -> dict[str, str]:
    return {
        "SHIPOFF_S3_ENDPOINT": address.endpoint,
        "SHIPOFF_S3_ACCESS_KEY": address.access_key,
        "SHIPOFF_S3_SECRET_KEY": address.secret_key,
        "SHIPOFF_S3_BUCKET": address.bucket,
        "SHIPOFF_S3_REGION": address.region,
    }
