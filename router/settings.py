"""The router's settings, read from `SHIPOFF_ROUTER_*` (kernel/settings.py)."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Final, Literal

from pydantic import Field, field_validator

from kernel.settings import Settings
from router.core.trust import networks

SERVICE: Final = "router"
# What a running router takes over from a changed settings file; all else needs a restart (which loses no connection).
LIVE: Final = frozenset(
    (
        *("trusted", "cloudflare", "cloudflare_ranges", "proxy_protocol", "handshake_s", "handshakes"),
        *("tls_certificates", "tls_client_ca", "tls_reload_s", "head_s", "keep_alive_s", "body_s", "connect_s"),
        *("max_connections", "answer_s", "stream_s", "tunnel_s", "pool_idle_s", "pool_size", "endpoint_connections"),
        *("upstream_connections", "retry_s", "retry_share", "retry_per_s", "hold_s", "switch_s", "hold_page_s"),
        *(
            "hold_queue",
            "hold_total",
            "hold_bytes",
            "server_timing",
            "small_object",
            "drain_s",
            "cache_wait_s",
            "cache_waiters",
            "log_level",
        ),
    )
)


class RouterSettings(Settings):
    """Everything that can be set, with units, defaults and reasons.

    Attributes:
        listen: host:port for requests, or several, comma-separated ([v6]:port too).
        listen_tls: the same for requests over TLS; "" for none.
        settings: a file of these settings (settings_file.py), read again on SIGHUP; "" for none.
        admin: host:port of the admin door; "" for none.
        workers: processes that serve; 0 takes one per CPU that this process may use.
        state_dir: last-known-good table and the list of workers; "" keeps neither, and workers end with the supervisor.
        run_dir: a short path for control sockets; "" takes state_dir.
        redis_url: where the table comes from; "" with `table`.
        table: a file of records instead of Redis, read again on SIGHUP.
        node: names this machine in `routers:<id>`.
        s3_*: the object store of static sites; "" answers 503 for them.
        trusted: comma-separated networks whose X-Forwarded-* are believed.
        cloudflare: "ranges" believes Cloudflare by its addresses, "pulls" only over authenticated origin pulls, ""
            (the default: a router that is not behind it) not at all.
        cloudflare_ranges: its address ranges; "" takes the file that ships (router/cloudflare.py refreshes it).
        proxy_protocol: comma-separated networks of load balancers whose connections begin with a PROXY header.
        tls_certificates: files or directories (edge/certificate_store.py says how they look), comma-separated.
        tls_client_ca: a file of CAs one of whose certificates every TLS client must show (Cloudflare's authenticated
            origin pulls); "" for none, unless a host has its own.
        tls_reload_s: how often certificates are looked at for changes; it costs a stat a file.
        max_connections: clients per worker, above which no more are accepted; 0 takes three quarters of what
            RLIMIT_NOFILE allows, the rest being for upstreams.
        handshake_s: a connection's PROXY header and TLS handshake together; a phone on a bad line takes 3.
        handshakes: these under way at once per worker (50 KB each); one more ends the one that has waited longest.
        access_log: a file that gets one JSON line per request, instead of logsink; "" for none.
        logsink_address: host:port of the log service, which gets the access log; "" for none.
        requests_token: what the router shows there; a router never holds the service token.
        server_timing: answers carry Server-Timing (0.2 us and 45 bytes each); it tells nothing that a clock doesn't.
        head_s: a request head must be whole this long after its first byte; slower ones are attacks.
        keep_alive_s: idle client connections; longer than a load balancer's own idle time in front.
        body_s: longest pause in a request body; never a limit on the whole.
        connect_s: to make an upstream connection; a healthy one takes milliseconds.
        answer_s: from the end of a request to the head of its answer.
        stream_s: longest pause in an answer or a client that does not read.
        tunnel_s: longest silence on an upgraded connection.
        pool_idle_s: idle upstream connections; below the 5 s of Node and uvicorn, whose close would race a request.
        pool_size: idle connections per endpoint and worker.
        endpoint_connections: connections to one endpoint per worker, idle ones included; more requests wait, so that a
            slow app costs no other its descriptors.
        upstream_connections: upstream connections per worker; 0 takes the quarter of the descriptors left by clients.
        queue_size, queue_s: how many requests of a release wait for room, per worker, and for how long, where its route
            has no rule `concurrency`.
        retry_s: for how long after its first failure a request may be sent again.
        retry_share, retry_per_s: the retry budget of a release, per worker: a part of its requests, and so many a
            second.
        hold_s: how long a request waits for a release that sleeps or wakes; a cold start takes seconds. 0: not at all.
        switch_s: how long for one that runs and has no instance at the moment.
        hold_page_s: a browser that waits longer gets a page that reloads itself; people leave a blank one. 0: never.
        hold_queue, hold_release_bytes: requests of one release that wait so, per worker, and bytes of heads and bodies
            that they hold.
        hold_total, hold_bytes: the same of all releases.
        hold_at_once: waiting requests that an instance which has just come gets at once, without a rule `concurrency`.
        drain_s: requests and tunnels get this long to end after SIGTERM.
        small_object: bytes up to which a static file is kept in memory.
        cache_bytes: memory for static files per worker.
        cache_memory: bytes of the response cache in memory, per worker; 0 keeps nothing.
        cache_dir: where workers share what they have stored, and it outlives them; "" shares it in /dev/shm as long as
            the router runs, and a single worker keeps it in its memory.
        cache_shared: bytes there.
        cache_object: bytes of a body up to which an answer is kept.
        cache_wait_s: requests wait this long for an answer that another one has asked for, then ask themselves.
        cache_waiters: requests that wait for one answer at most.
    """

    listen: str = "127.0.0.1:8080"
    listen_tls: str = ""
    settings: str = ""
    admin: str = "127.0.0.1:9080"
    workers: int = Field(0, ge=0, le=256)
    state_dir: str = ""
    run_dir: str = ""
    redis_url: str = ""
    table: str = ""
    node: str = Field(default_factory=socket.gethostname)
    s3_endpoint: str = ""
    s3_access_key: str = ""
    s3_secret_key: str = Field("", repr=False)
    s3_bucket: str = "shipoff"
    s3_region: str = "us-east-1"
    trusted: str = ""
    cloudflare: Literal["", "ranges", "pulls"] = ""
    cloudflare_ranges: str = ""
    proxy_protocol: str = ""
    tls_certificates: str = ""
    tls_client_ca: str = ""
    tls_reload_s: float = Field(5, gt=0)
    max_connections: int = Field(0, ge=0)
    handshake_s: float = Field(10, gt=0)
    handshakes: int = Field(1024, ge=1)
    access_log: str = ""
    logsink_address: str = ""
    requests_token: str = Field("", repr=False)
    server_timing: bool = True
    head_s: float = Field(15, gt=0)
    keep_alive_s: float = Field(75, gt=0)
    body_s: float = Field(60, gt=0)
    connect_s: float = Field(3, gt=0)
    answer_s: float = Field(60, gt=0)
    stream_s: float = Field(300, gt=0)
    tunnel_s: float = Field(3600, gt=0)
    pool_idle_s: float = Field(4, gt=0)
    pool_size: int = Field(128, ge=0)
    endpoint_connections: int = Field(1024, ge=1)
    upstream_connections: int = Field(0, ge=0)
    queue_size: int = Field(1000, ge=0)
    queue_s: float = Field(10, gt=0)
    retry_s: float = Field(10, ge=0)
    retry_share: float = Field(0.2, ge=0, le=1)
    retry_per_s: float = Field(10, ge=0)
    hold_s: float = Field(30, ge=0, le=600)
    switch_s: float = Field(2, ge=0, le=600)
    hold_page_s: float = Field(5, ge=0, le=600)
    hold_queue: int = Field(1000, ge=0)
    hold_release_bytes: int = Field(16_777_216, ge=0)
    hold_total: int = Field(10_000, ge=0)
    hold_bytes: int = Field(67_108_864, ge=0)
    hold_at_once: int = Field(64, ge=1)
    drain_s: float = Field(20, ge=0)
    small_object: int = Field(262_144, ge=0)
    cache_bytes: int = Field(33_554_432, ge=0)
    cache_memory: int = Field(67_108_864, ge=0)
    cache_dir: str = ""
    cache_shared: int = Field(268_435_456, ge=0)
    cache_object: int = Field(8_388_608, ge=0)
    cache_wait_s: float = Field(10, gt=0)
    cache_waiters: int = Field(1000, ge=0)
    log_level: str = "INFO"
    owner_pid: int = 0

    @field_validator("listen", "listen_tls", "admin")
    @classmethod
    def _is_address(cls, value: str) -> str:
        addresses(value)
        return value

    @field_validator("trusted", "proxy_protocol")
    @classmethod
    def _is_networks(cls, value: str) -> str:
        networks(value)
        return value

    def worker_count(self) -> int:
        """How many workers to run."""
        return self.workers or len(os.sched_getaffinity(0))

    def control_dir(self) -> Path:
        """Where workers put their control sockets."""
        return Path(self.run_dir or self.state_dir)


def addresses(text: str) -> list[tuple[str, int]]:
    """Splits comma-separated addresses.

    Raises:
        ValueError: one of them is none.
    """
    return [host_port(part.strip()) for part in text.split(",") if part.strip()]


def host_port(address: str) -> tuple[str, int]:
    """Splits `host:port`, `[v6]:port` or `:port` (every IPv4 address).

    Raises:
        ValueError: it is neither.
    """
    host, colon, port = address.rpartition(":")
    if not colon or not port.isdigit() or int(port) > 65535:
        raise ValueError("not host:port")
    return host.strip("[]") or "0.0.0.0", int(port)  # noqa: S104 - that is what a bare port asks for
