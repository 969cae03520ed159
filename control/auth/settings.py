"""What the auth service reads from its environment."""

from __future__ import annotations

import platform

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
        audit_days: for which audit records are kept, 90 or more; 0 is for ever.
        service_token: what callers show.
        seal_key: encrypts signing keys and second factors; 32 bytes in base64, or several as `NAME:BASE64` with commas
            between: the first one seals, all of them open.
    """

    listen: str = "127.0.0.1:7001"
    admin: str = "127.0.0.1:7101"
    database_url: str
    database_connections: int = 4
    redis_url: str
    consumer: str = platform.node() or "auth"
    audit_days: int = Field(default=400, ge=0)
    service_token: str
    seal_key: str

    @field_validator("audit_days")
    @classmethod
    def _kept_long_enough(cls, days: int) -> int:
        if 0 < days < 90:
            raise ValueError("the table refuses to lose what is younger than 90 days")
        return days
