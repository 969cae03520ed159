"""What the projects service reads from its environment."""

from __future__ import annotations

import platform

from pydantic import Field

from control.projects.github.app import App
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
        env_keys: several of them, `NAME:BASE64` with commas between: the first one seals, and all of them open. With
            `env_key` too, that one is the last of the ring.
        service_token: what callers show, and what is shown to auth.
        auth_address: gRPC, host:port; its public keys say whose calls they are.
        preview_count: previews that a project may have at a time; each may hold an instance.
        preview_days: a preview goes so many days after its last deployment; a branch that rests longer is forgotten.
        default_plan: of teams that have none of their own: hobby, pro or unlimited (limits/plans.py); the last, because
            on one's own machine the orchestrator's settings say what it bears.
        logsink_address: gRPC, host:port; has counted what routers answered for each project.
        hooks_allow: networks (CIDR, separated by blanks) that hooks may reach although they are not public, such as an
            operator's own; none, because it is a tenant who names the host.
        hooks_insecure: whether a hook's URL may begin with http://.
        hooks_ports: that a hook's URL may name, or `any`.
        hooks_lease_s: a worker that is silent for so long loses the hook that it delivers for to another; well above
            the 15 s that an attempt may take.
        webhook_queue: deliveries of one repository that may wait at a time; more than a busy day's pushes in a minute.
        webhook_days: how long a delivery is kept with what became of it, and can be done again.
        allow_private_sources: whether repositories may be cloned by http and from addresses of private networks;
            for a machine of one's own, with a git server beside it.
        github_app_id, github_private_key, github_webhook_secret: of the GitHub App; without an id there is none.
        github_client_id, github_client_secret: of the same, for claims of installations.
        github_slug: the App's name in its address on GitHub.
        github_api_url, github_url: others for GitHub Enterprise Server.
        apps_url: template of a project's address; the orchestrator has the same.
        platform_domains: further names, separated by spaces, that are the platform's with all below them, such as the
            dashboard's; nobody can add them as a custom domain.
        domain_count: custom domains that a project may have; each is a route, and a look at the DNS a day.
        domain_pending_days: a domain that was not proven within so many days is no longer looked at.
        domain_failing_days: the DNS must say for so long that a domain's proof is gone until it is called failing.
        domain_grace_days: and for so long after that until it is taken off; the owner is told at both.
        dns_servers: that are asked for proofs, "address" or "address:port", separated by spaces; "" is the system's.
        consumer: this member's name in the group `projects`; stable across restarts, so that it takes up what it held.
    """

    listen: str = "127.0.0.1:7002"
    admin: str = "127.0.0.1:7102"
    database_url: str
    database_connections: int = 6
    redis_url: str
    env_key: str = ""
    env_keys: str = ""
    auth_address: str = "127.0.0.1:7001"
    service_token: str
    preview_count: int = Field(default=10, ge=0)
    preview_days: int = Field(default=7, ge=0)
    default_plan: str = "unlimited"
    logsink_address: str = "127.0.0.1:7004"
    hooks_allow: str = ""
    hooks_insecure: bool = False
    hooks_ports: str = "80 443 8080 8443"
    hooks_lease_s: float = Field(default=60.0, gt=15)
    webhook_queue: int = Field(default=100, ge=1)
    webhook_days: int = Field(default=14, ge=1)
    allow_private_sources: bool = False
    github_app_id: str = ""
    github_private_key: str = ""
    github_webhook_secret: str = ""
    github_client_id: str = ""
    github_client_secret: str = ""
    github_slug: str = ""
    github_api_url: str = "https://api.github.com"
    github_url: str = "https://github.com"
    apps_url: str = "http://{project}.localhost:8080"
    platform_domains: str = ""
    domain_count: int = Field(default=50, ge=0)
    domain_pending_days: float = Field(default=7, gt=0)
    domain_failing_days: float = Field(default=3, ge=0)
    domain_grace_days: float = Field(default=14, ge=0)
    dns_servers: str = ""
    consumer: str = platform.node() or "projects"

    @property
    def github(self) -> App | None:
        """The GitHub App, None when there is none."""
        if not self.github_app_id:
            return None
        return App(
            self.github_app_id,
            self.github_private_key.replace("\\n", "\n"),  # a PEM on one line, as some tools keep it
            self.github_webhook_secret,
            self.github_client_id,
            self.github_client_secret,
            self.github_slug,
            self.github_api_url.rstrip("/"),
            self.github_url.rstrip("/"),
        )
