"""The orchestrator's settings, each with its unit and the reason for its default."""

from __future__ import annotations

import socket
from pathlib import Path

from pydantic import Field

from kernel.settings import Settings


class OrchestratorSettings(Settings):
    """Read from SHIPOFF_ORCHESTRATOR_…, else SHIPOFF_….

    Attributes:
        listen: gRPC, host:port.
        admin: /healthz, /readyz, /metrics, host:port.
        env_key: 32 bytes in base64: seals the env snapshots of releases.
        env_keys: several of them, `NAME:BASE64` with commas between: the first one seals, and all of them open. With
            `env_key` too, that one is the last of the ring.
        work_dir: builds, unpacked slugs and instances lie below it.
        run_dir: short path for unix sockets.
        runtimes_dir: language runtimes that the platform unpacked itself; "" when the system has them all.
        apps_url: where a project is served; `{project}` is its name.
        gateway_url: where sources are fetched from, by git over HTTP.
        worker: this orchestrator's name among all; the same after a restart, so that it goes on at once with what it
            had. The host's name, which in Kubernetes is the pod's.
        lease_s: an orchestrator that is silent for this long loses what it works on to another. It renews at a third of
            it; much shorter, and a busy machine loses its work for nothing.
        queue_limit: environments of one account that may have an unfinished deployment; more than a team pushes at a
            time, less than what would keep the builds busy for an hour.
        builds: builds at a time on this machine; a build is mostly CPU, so about one a core.
        queue_s: how long a deployment waits for its turn to build.
        fetch_s: a stage's deadline, like the following: clone of a large repository.
        detect_s: reading a few files of the tree.
        build_s: install and build; the driver ends the commands before, and says which.
        artifact_s: packing and uploading what was built.
        release_s: a few rows.
        launch_s: from asking for instances until their processes run: a slug may have to be fetched and unpacked.
        health_s: above start_s, which says better what is wrong.
        route_s: above routers_s, which says who is behind.
        start_s: an app must pass its health check within this many seconds of its start. Next.js needs about 3 s here;
            a minute leaves room for a slow machine.
        command_s: a release command may run for this long; migrations of large tables take minutes.
        drain_s: an old instance may go on with the requests it has for this long; longer than most uploads.
        warm_s: a release that was replaced keeps its instances for this long, so that going back to it is one flip; it
            costs their memory, so it is about as long as it takes to see that a deploy was a mistake.
        keep_releases: of an environment, for rollbacks; nobody looks further back than a handful.
        keep_days: older ones are not kept, but for the newest two.
        grace_s: between SIGTERM and SIGKILL; Kubernetes' default is 30 s, but the drain came before.
        instance_memory: bytes that an instance gets at most, whatever its plan asks for.
        instance_cpus: processors that an instance gets at most, 0 for no limit.
        instance_processes: processes and threads that an instance gets at most.
        instances_most: instances that a process may be scaled to by hand.
        exec_s: a command in an instance (`shipoff exec`) may take so long; a working day's shell.
        exec_idle_s: it may be silent in both directions for so long; a forgotten shell holds memory of the app's.
        exec_bytes: so much may go in and out of it together; for more there are better ways than a terminal.
        routers_s: every router must serve a new table within this; a dead one leaves after 10 s (its key's TTL).
        stage_s: how long a stage is tried again while a part of the platform is away.
        https_proxy: the proxy through which this machine itself gets out; tenants' traffic goes through it too.
        egress_allow: networks (CIDR, separated by spaces) that tenants may reach although they are private, such as a
            package mirror's; none, because on one machine every private address may be somebody's database.
        allow_private_sources: whether repositories may be fetched by http and from private addresses; for a machine of
            one's own, with a git server beside it.
        failpoint: a file in which a test names the boundary where this process is to die (failpoints.py); "" is none.
        owner_pid: whose end ends the instances too; 0 in a cluster.
    """

    listen: str = "127.0.0.1:7003"
    admin: str = "127.0.0.1:7103"
    database_url: str
    redis_url: str
    service_token: str
    env_key: str = ""
    env_keys: str = ""
    projects_address: str
    auth_address: str = "127.0.0.1:7001"
    logsink_address: str
    gateway_url: str
    work_dir: Path
    run_dir: Path
    runtimes_dir: str = ""
    apps_url: str = "http://{project}.localhost:8080"
    worker: str = Field(default_factory=socket.gethostname, min_length=1)
    lease_s: float = Field(default=15.0, gt=0)
    queue_limit: int = Field(default=50, ge=1)
    builds: int = Field(default=2, ge=1)
    queue_s: float = Field(default=3600.0, gt=0)
    fetch_s: float = Field(default=600.0, gt=0)
    detect_s: float = Field(default=60.0, gt=0)
    build_s: float = Field(default=1200.0, gt=0)
    artifact_s: float = Field(default=600.0, gt=0)
    release_s: float = Field(default=300.0, gt=0)
    launch_s: float = Field(default=600.0, gt=0)
    health_s: float = Field(default=600.0, gt=0)
    route_s: float = Field(default=300.0, gt=0)
    start_s: float = Field(default=60.0, gt=0)
    command_s: float = Field(default=900.0, gt=0)
    drain_s: float = Field(default=30.0, ge=0)
    warm_s: float = Field(default=300.0, ge=0)
    keep_releases: int = Field(default=10, ge=2)
    keep_days: int = Field(default=30, ge=1)
    grace_s: float = Field(default=10.0, ge=0)
    instance_memory: int = Field(default=4 << 30, ge=16 << 20)
    instance_cpus: float = Field(default=0.0, ge=0)
    instance_processes: int = Field(default=2048, ge=16)
    instances_most: int = Field(default=20, ge=1)
    exec_s: float = Field(default=8 * 3600.0, gt=0)
    exec_idle_s: float = Field(default=1800.0, gt=0)
    exec_bytes: int = Field(default=1 << 30, gt=0)
    routers_s: float = Field(default=30.0, gt=0)
    stage_s: float = Field(default=120.0, gt=0)
    https_proxy: str = ""
    egress_allow: str = ""
    allow_private_sources: bool = False
    failpoint: str = ""
    owner_pid: int = 0
