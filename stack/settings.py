"""What an operator may choose about the one-machine platform."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Final

from pydantic import Field, ValidationError

from kernel.errors import define
from kernel.settings import Settings
from stack.files import write_private

STACK_SETTINGS_INVALID = define("STACK_SETTINGS_INVALID", source="client", status=400)
FILE: Final = "settings.json"


class StackSettings(Settings):
    """Read from the command line, else SHIPOFF_STACK_…, else what this directory's last `up` had.

    Attributes:
        host: address that router and gateway listen on; loopback, because nothing in front of them is set up yet.
        public_url: how people reach the gateway, when something stands before it (https://…): in links of mails and
            clone URLs, and what providers of sign-ins are told; empty is `host` and port.
        router_port: preferred; another is taken (and remembered) when it is not free.
        gateway_port: preferred, likewise.
        router_workers: processes that serve requests; 0 is one per CPU, at most four, because each costs memory.
        postgres_url: an existing server, as a role that may create roles and databases; empty starts our own.
        redis_url: an existing Redis or Valkey; empty starts our own.
        s3_endpoint: an existing S3 server; empty starts our own.
        s3_access_key: its credentials.
        s3_secret_key: its credentials.
        s3_bucket: made when missing.
        s3_region: as the server wants it in signatures.
        prefix: of databases and roles, so that two stacks can share a Postgres server.
        owner_email: of the account that the first start makes.
        log_level: of every service.
    """

    host: str = "127.0.0.1"
    public_url: str = Field(default="", pattern=r"^(https?://[^/\s]+)?$")
    router_port: int = Field(default=8080, ge=1, le=65535)
    gateway_port: int = Field(default=8000, ge=1, le=65535)
    router_workers: int = Field(default=0, ge=0, le=256)
    postgres_url: str = Field(default="", repr=False)
    redis_url: str = Field(default="", repr=False)
    s3_endpoint: str = ""
    s3_access_key: str = Field(default="", repr=False)
    s3_secret_key: str = Field(default="", repr=False)
    s3_bucket: str = "shipoff"
    s3_region: str = "us-east-1"
    prefix: str = Field(default="shipoff", pattern=r"^[a-z][a-z0-9_]{0,30}$")
    owner_email: str = "owner@localhost"
    log_level: str = "INFO"

    def workers(self) -> int:
        """How many router workers to run."""
        return self.router_workers or min(4, len(os.sched_getaffinity(0)))


def given(options: dict[str, object]) -> dict[str, object]:
    """What was asked for now: options over SHIPOFF_STACK_….

    Raises:
        ShipoffError: SETTINGS_INVALID.
    """
    environment = StackSettings.from_process("stack").model_dump(exclude_unset=True)
    return environment | {name: value for name, value in options.items() if value is not None}


def resolve(directory: Path, options: dict[str, object]) -> StackSettings:
    """The settings of an `up`: options over environment over what was remembered; the result is remembered.

    Args:
        directory: the state directory.
        options: from the command line; None is "not given".

    Raises:
        ShipoffError: STACK_SETTINGS_INVALID, SETTINGS_INVALID.
    """
    remembered = _remembered(directory / FILE)
    chosen = remembered | given(options)
    try:
        settings = StackSettings.model_validate(chosen)
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
        raise STACK_SETTINGS_INVALID(problems) from None
    write_private(directory / FILE, json.dumps(settings.model_dump(exclude_unset=True), indent=1))
    return settings


def _remembered(path: Path) -> dict[str, object]:
    try:
        values = json.loads(path.read_text())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise STACK_SETTINGS_INVALID(f"{path}: {error}") from error
    return {name: value for name, value in values.items() if name in StackSettings.model_fields}
