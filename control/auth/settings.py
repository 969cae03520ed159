"""What the auth service reads from its environment."""

from __future__ import annotations

import platform
from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator

from kernel.settings import Settings


class AuthSettings(Settings):
    """Settings of the service `auth`.

    Attributes:
        listen: gRPC, host:port; loopback, because only the platform's own services call it.
        admin: /healthz, /readyz and /metrics, host:port.
        database_url: of shipoff_auth, libpq style.
        database_connections: at most; each call holds one for about a millisecond.
        redis_url: `redis://…` or `unix:///path?password=…`.
        consumer: this member's name in the group `auth`; stable across restarts, so that it takes up what it held.
        projects_address: gRPC of the service that knows what teams own.
        teams_per_account: memberships at most; passports name them all.
        roles_per_account: on single projects, at most; passports name them all.
        members_per_team: at most, and as many of a project.
        invitations_per_team: that are open, at most.
        tokens_per_account: at most, and as many of a project.
        invitation_days: for which an invitation is good.
        audit_days: for which audit records are kept, 90 or more; 0 is for ever.
        service_token: what callers show.
        seal_key: encrypts signing keys, second factors and mails that wait; 32 bytes in base64, or several as
            `NAME:BASE64` with commas between: the first one seals, all of them open.
        registration: whether who is new may have an account: open or closed.
        public_url: how people reach the gateway; links in mails begin with it.
        smtp_url: `smtps://user:password@host:port`, or `smtp://…`, where `?starttls=1` insists on TLS.
        mail_dir: a folder where mails lie as files instead; without both they wait in the database, for a week.
        mail_from: "Name <address>" of all mails.
        account_attempts: passwords or codes for one account within `lockout_s`; people rarely need half of it.
        address_attempts: passwords from one client address within it; an office may share one.
        address_mails: registrations, and requests for mails, from one client address in an hour.
        lockout_s: seconds; long enough to make guessing hopeless, short enough to wait for.
    """

    listen: str = "127.0.0.1:7001"
    admin: str = "127.0.0.1:7101"
    database_url: str
    database_connections: int = 4
    redis_url: str
    consumer: str = platform.node() or "auth"
    projects_address: str = "127.0.0.1:7002"
    teams_per_account: int = Field(default=100, ge=1, le=100)
    roles_per_account: int = Field(default=300, ge=0, le=300)
    members_per_team: int = Field(default=200, ge=1)
    invitations_per_team: int = Field(default=100, ge=0)
    tokens_per_account: int = Field(default=100, ge=1)
    invitation_days: int = Field(default=7, ge=1, le=30)
    audit_days: int = Field(default=400, ge=0)
    service_token: str
    seal_key: str
    registration: Literal["open", "closed"] = "open"
    public_url: str = "http://127.0.0.1:8000"
    smtp_url: str = ""
    mail_dir: Path | None = None
    mail_from: str = "Shipoff <no-reply@localhost>"
    account_attempts: int = Field(default=10, ge=1)
    address_attempts: int = Field(default=100, ge=1)
    address_mails: int = Field(default=30, ge=1)
    lockout_s: int = Field(default=900, ge=1)

    @field_validator("audit_days")
    @classmethod
    def _kept_long_enough(cls, days: int) -> int:
        if 0 < days < 90:
            raise ValueError("the table refuses to lose what is younger than 90 days")
        return days
