"""The settings of the log service."""

from __future__ import annotations

from pydantic import Field

from kernel.settings import Settings


class LogsinkSettings(Settings):
    """Read from SHIPOFF_LOGSINK_…

    Attributes:
        listen: gRPC host:port; port 0 lets the kernel choose.
        admin: host:port of /healthz, /readyz and /metrics.
        database_url: of the database shipoff_logs.
        service_token: bearer token that callers show.
        auth_address: gRPC host:port; its public keys say whose calls they are.
        projects_address: gRPC host:port; says whose a project is.
        requests_token: what routers show; it lets them append requests and do nothing else. "" for no routers.
        database_connections: at most; one writes lines, one requests, one maintains, the others read.
        retention_days: a line is kept at least this long unless its project exceeds its bytes; two weeks show last
            week's deployment beside this week's.
        project_bytes: compressed bytes kept for a project, the newest; 1 GiB is about 8 GiB of text.
        request_days: a request is kept at least this long, as above; a week shows the same day of the last one.
        project_request_bytes: compressed bytes of requests kept for a project; 256 MiB is some 8 million requests.
        dedupe_hours: how long a batch's (producer, sequence) is remembered; longer than any sender retries.
        compact_every_s: pause between two passes of the compaction; short, because reading many small blocks is slow.
        settle_s: a deployment that was quiet for so long gets its last small blocks merged.
        expire_every_s: pause between two passes of the retention.
        follower_bytes: text that waits for one follower before it loses lines.
    """

    listen: str = "127.0.0.1:7004"
    admin: str = "127.0.0.1:7104"
    database_url: str
    service_token: str = Field(min_length=1)
    auth_address: str = "127.0.0.1:7001"
    projects_address: str = "127.0.0.1:7002"
    requests_token: str = Field(default="", repr=False)
    database_connections: int = Field(default=6, ge=4)
    retention_days: float = Field(default=14.0, gt=0)
    project_bytes: int = Field(default=1 << 30, gt=0)
    request_days: float = Field(default=7.0, gt=0)
    project_request_bytes: int = Field(default=256 << 20, gt=0)
    dedupe_hours: float = Field(default=24.0, gt=0)
    compact_every_s: float = Field(default=5.0, gt=0)
    settle_s: float = Field(default=600.0, ge=0)
    expire_every_s: float = Field(default=300.0, gt=0)
    follower_bytes: int = Field(default=4 << 20, gt=0)
