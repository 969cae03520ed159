"""What the gateway reads from its environment."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, field_validator

from control.gateway.frame.address import networks
from kernel.settings import Settings

MIB = 1024 * 1024


class GatewaySettings(Settings):
    """Settings of the service `gateway`.

    Attributes:
        listen: HTTP, host:port.
        admin: /healthz, /readyz and /metrics, host:port.
        public_url: how people reach `listen`; stands in clone URLs.
        apps_url: template of a project's address; the orchestrator has the same.
        repos_dir: holds one bare repository a project.
        run_dir: short path for the hooks' unix socket; empty makes a temporary folder.
        redis_url: for the live view of the stream `lifecycle`.
        service_token: shown to the other services, and by the orchestrator to fetch sources.
        auth_address, projects_address, orchestrator_address, logsink_address: gRPC, host:port.
        body_bytes: of a REST request at most; the largest useful one is a project's env vars.
        request_s: in which a REST request is read and answered, unless it streams.
        ask_again_s: after which whoever reads a stream is asked again whether they may.
        trusted_proxies: networks of proxies whose X-Forwarded-For is believed, with commas between.
        dashboard_origin: scheme, host and port of the site that browsers may call the API from; empty is none.
        rate_credential: requests a minute that one token or session may send; 0 is no limit.
        rate_address: requests a minute that one address may send (an office may share one); 0 is no limit.
        rate_auth: the same for signing in, registering and the like, where secrets are tried out; 0 is no limit.
        push_bytes: of one pack at most (git's receive.maxInputSize); above it belongs into object storage.
        push_wait_s: how long a push waits for its deployment; longer than any sensible build.
        git_s: how long one git request may take in all, transfer included.
        git_idle_s: how long a git client may send nothing in the middle of a request.
        pushes: at a time; each holds a connection and three small processes while its deployment runs.
        fetches: at a time; apart from the pushes, because each waiting push needs a fetch to get on.
        queue_s: how long a git request waits for a free place, then it is told to come back.
    """

    listen: str = "127.0.0.1:8000"
    admin: str = "127.0.0.1:8001"
    public_url: str = "http://127.0.0.1:8000"
    apps_url: str = "http://{project}.localhost:8080"
    repos_dir: Path
    run_dir: Path | None = None
    redis_url: str
    service_token: str
    auth_address: str = "127.0.0.1:7001"
    projects_address: str = "127.0.0.1:7002"
    orchestrator_address: str = "127.0.0.1:7003"
    logsink_address: str = "127.0.0.1:7004"
    body_bytes: int = Field(default=MIB, gt=0)
    request_s: float = Field(default=30.0, gt=0)
    ask_again_s: float = Field(default=60.0, gt=0)
    trusted_proxies: str = "127.0.0.0/8, ::1/128"
    dashboard_origin: str = ""
    rate_credential: int = Field(default=3000, ge=0)
    rate_address: int = Field(default=6000, ge=0)
    rate_auth: int = Field(default=60, ge=0)
    push_bytes: int = Field(default=500 * MIB, gt=0)
    push_wait_s: float = Field(default=900.0, gt=0)
    git_s: float = Field(default=3600.0, gt=0)
    git_idle_s: float = Field(default=60.0, gt=0)
    pushes: int = Field(default=64, gt=0)
    fetches: int = Field(default=16, gt=0)
    queue_s: float = Field(default=10.0, gt=0)

    @field_validator("trusted_proxies")
    @classmethod
    def _networks(cls, text: str) -> str:
        networks(text)
        return text
