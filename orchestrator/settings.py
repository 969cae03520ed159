"""The orchestrator's settings, each with its unit and the reason for its default."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from kernel.settings import Settings


class OrchestratorSettings(Settings):
    """Read from SHIPOFF_ORCHESTRATOR_…, else SHIPOFF_….

    Attributes:
        listen: gRPC, host:port.
        admin: /healthz, /readyz, /metrics, host:port.
        env_key: 32 bytes in base64: seals the env snapshots of releases.
        work_dir: builds, unpacked slugs and instances lie below it.
        run_dir: short path for unix sockets.
        runtimes_dir: language runtimes that the platform unpacked itself; "" when the system has them all.
        apps_url: where a project is served; `{project}` is its name.
        gateway_url: where sources are fetched from, by git over HTTP.
        builds: builds at a time on this machine; a build is mostly CPU, so about one a core.
        start_s: an app must pass its health check within this many seconds of its start. Next.js needs about 3 s here;
            a minute leaves room for a slow machine.
        drain_s: an old instance may go on with the requests it has for this long; longer than most uploads.
        warm_s: a release that was replaced keeps its instances for this long, so that going back to it is one flip; it
            costs their memory, so it is about as long as it takes to see that a deploy was a mistake.
        grace_s: between SIGTERM and SIGKILL; Kubernetes' default is 30 s, but the drain came before.
        instance_memory: bytes that an instance gets at most, whatever its plan asks for.
        instance_cpus: processors that an instance gets at most, 0 for no limit.
        instance_processes: processes and threads that an instance gets at most.
        routers_s: every router must serve a new table within this; a dead one leaves after 10 s (its key's TTL).
        stage_s: how long a stage is tried again while a part of the platform is away.
        https_proxy: the proxy through which this machine itself gets out; tenants' traffic goes through it too.
        egress_allow: networks (CIDR, separated by spaces) that tenants may reach although they are private, such as a
            package mirror's; none, because on one machine every private address may be somebody's database.
        owner_pid: whose end ends the instances too; 0 in a cluster.
    """

    listen: str = "127.0.0.1:7003"
    admin: str = "127.0.0.1:7103"
    database_url: str
    redis_url: str
    service_token: str
    env_key: str
    projects_address: str
    logsink_address: str
    gateway_url: str
    work_dir: Path
    run_dir: Path
    runtimes_dir: str = ""
    apps_url: str = "http://{project}.localhost:8080"
    builds: int = Field(default=2, ge=1)
    start_s: float = Field(default=60.0, gt=0)
    drain_s: float = Field(default=30.0, ge=0)
    warm_s: float = Field(default=300.0, ge=0)
    grace_s: float = Field(default=10.0, ge=0)
    instance_memory: int = Field(default=4 << 30, ge=16 << 20)
    instance_cpus: float = Field(default=0.0, ge=0)
    instance_processes: int = Field(default=2048, ge=16)
    routers_s: float = Field(default=30.0, gt=0)
    stage_s: float = Field(default=120.0, gt=0)
    https_proxy: str = ""
    egress_allow: str = ""
    owner_pid: int = 0
