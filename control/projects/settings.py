"""What the projects service reads from its environment."""

from __future__ import annotations

import platform

from pydantic import Field

from kernel.settings import Settings


class ProjectsSettings(Settings):
    """Settings of the service `projects`.

    Attributes:
        listen: gRPC, host:port; loopback, because only the platform's own services call it.
        admin: /healthz, /readyz and /metrics, host:port.
        database_url: of shipoff_projects, libpq style.
        database_connections: at most; one is the outbox relay's for good.
        redis_url: `redis://…` or `unix:///path?password=…`.
        env_key: encrypts env vars; 32 bytes in base64.
        service_token: what callers show, and what is shown to auth.
        auth_address: gRPC, host:port; its public keys say whose calls they are.
        preview_count: previews that a project may have at a time; each may hold an instance.
        preview_days: a preview goes so many days after its last deployment; a branch that rests longer is forgotten.
        hooks_allow: networks (CIDR, separated by blanks) that hooks may reach although they are not public, such as an
            operator's own; none, because it is a tenant who names the host.
        hooks_insecure: whether a hook's URL may begin with http://.
        hooks_ports: that a hook's URL may name, or `any`.
        hooks_lease_s: a worker that is silent for so long loses the hook that it delivers for to another; well above
            the 15 s that an attempt may take.
        consumer: this member's name in the group `projects`; stable across restarts, so that it takes up what it held.
    """

    listen: str = "127.0.0.1:7002"
    admin: str = "127.0.0.1:7102"
    database_url: str
    database_connections: int = 6
    redis_url: str
    env_key: str
    auth_address: str = "127.0.0.1:7001"
    service_token: str
    preview_count: int = Field(default=10, ge=0)
    preview_days: int = Field(default=7, ge=0)
    hooks_allow: str = ""
    hooks_insecure: bool = False
    hooks_ports: str = "80 443 8080 8443"
    hooks_lease_s: float = Field(default=60.0, gt=15)
    consumer: str = platform.node() or "projects"
