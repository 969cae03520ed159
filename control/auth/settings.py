"""What the auth service reads from its environment."""

from __future__ import annotations

from kernel.settings import Settings


class AuthSettings(Settings):
    """Settings of the service `auth`.

    Attributes:
        listen: gRPC, host:port; loopback, because only the platform's own services call it.
        admin: /healthz, /readyz and /metrics, host:port.
        database_url: of shipoff_auth, libpq style.
        database_connections: at most; each call holds one for about a millisecond.
        service_token: what callers show.
        seal_key: encrypts signing keys and second factors; 32 bytes in base64.
    """

    listen: str = "127.0.0.1:7001"
    admin: str = "127.0.0.1:7101"
    database_url: str
    database_connections: int = 4
    service_token: str
    seal_key: str
