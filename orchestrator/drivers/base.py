"""The one interface between the orchestrator and whatever runs builds and instances.

A driver knows processes, not deployments: it does not choose, retry, check health or route. It keeps its own record of
what it started outside this process's memory, so that an orchestrator that was killed finds its instances again.
"""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from kernel.errors import define
from orchestrator.build.plan import BuildPlan, Runtime

SANDBOX_UNAVAILABLE = define(
    "SANDBOX_UNAVAILABLE", hint="`shipoff doctor` says what this machine lacks to run builds and apps"
)
RUNTIME_MISSING = define(
    "RUNTIME_MISSING", source="client", status=422, hint="install that language on the machine, or choose another one"
)
INSTANCE_UNKNOWN = define("INSTANCE_UNKNOWN", source="client", status=404)
INSTANCE_START_FAILED = define("INSTANCE_START_FAILED", retryable=True)
EXEC_FAILED = define(
    "EXEC_FAILED", source="client", status=422, hint="does the instance run, and has it few commands running already?"
)

LogStream = Literal["stdout", "stderr", "platform"]
OnLine = Callable[[LogStream, str], Awaitable[None]]
Reason = Literal["", "exit", "signal", "deadline", "memory", "disk", "output", "stopped", "lost"]


def signal_name(number: int) -> str:
    """SIGKILL for 9; a real-time signal has no name but its number."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


@dataclass(frozen=True, slots=True)
class Limits:
    """What one build or one instance may use.

    Attributes:
        memory_bytes: resident memory of the whole process tree (a cgroup where there is one).
        processes: processes and threads of the tree.
        cpus: share of processors, 0 for no limit (needs a cgroup).
        disk_bytes: size of the app directory after a build, and of one written file.
        tmp_bytes: size of /tmp.
        files: open descriptors per process.
        log_bytes: bytes of output that are kept; a build passes lines on up to this, and of the rest the last ones.
        output_bytes: a build step that writes more than this to its output is ended.
        line_bytes: a longer line is cut.
        entries: files and directories that a build may leave.
        cpu_weight: beside what else runs here, 100 is an instance's (needs a cgroup).
        nice: added to the niceness of every process; the priority of reads and writes goes along.
        deadline_s: wall clock of a whole build; unused by instances.
    """

    memory_bytes: int = 2 << 30
    processes: int = 1024
    cpus: float = 0.0
    disk_bytes: int = 2 << 30
    tmp_bytes: int = 512 << 20
    files: int = 8192
    log_bytes: int = 8 << 20
    output_bytes: int = 1 << 30
    line_bytes: int = 8 << 10
    entries: int = 500_000
    cpu_weight: int = 100
    nice: int = 0
    deadline_s: float = 900.0


# What runs goes before what is built: an eighth of an instance's share where both want the processor.
BUILD_LIMITS = Limits(memory_bytes=4 << 30, cpu_weight=12, nice=10)
INSTANCE_LIMITS = Limits(memory_bytes=512 << 20, processes=512, tmp_bytes=128 << 20)


@dataclass(frozen=True, slots=True)
class PackedCache:
    """A cache as a file: a tar, compressed.

    Attributes:
        path: whoever gets it deletes it.
        digest: sha256 of the tar.
        key: which cache it is.
    """

    path: Path
    digest: str
    key: str


class BuildCache(Protocol):
    """What a project's builds downloaded, kept where every machine can get it.

    Attributes:
        scope: caches of different scopes of a project lie apart on a machine too.
        key: of this build's lock files.
    """

    scope: str
    key: str

    async def load(self) -> PackedCache | None:
        """The cache of this key, or a useful other one.

        Raises:
            ShipoffError: it can't be had now.
        """

    async def wanted(self) -> bool:
        """Whether there is none of this key yet."""

    async def store(self, packed: PackedCache) -> None:
        """Keeps a cache under this key."""

    async def drop(self, key: str) -> None:
        """Forgets one that is damaged."""


@dataclass(frozen=True, slots=True)
class BuildJob:
    """One run of a plan's steps.

    Attributes:
        build_id: `bld_…`, unique.
        project_id: `prj_…`; builds and instances of a project share a uid, nobody else does.
        source_dir: the fetched tree, a directory that the driver may change and give to the project's uid.
        env: the project's variables for builds.
        steps: (name, shell command) to run instead of the plan's.
        cache: where its downloads come from and go to, None for a cache on this machine that only such builds share.
    """

    build_id: str
    project_id: str
    plan: BuildPlan
    source_dir: Path
    env: Mapping[str, str] = field(default_factory=dict)
    limits: Limits = BUILD_LIMITS
    steps: tuple[tuple[str, str], ...] = ()
    cache: BuildCache | None = None

    @property
    def commands(self) -> Sequence[tuple[str, str]]:
        """What is to be run."""
        return self.steps or self.plan.steps


@dataclass(frozen=True, slots=True)
class BuildResult:
    """How a build ended; its output lies in the job's source_dir.

    Attributes:
        failed_step: its name, "" when all went well.
        reason: why it failed: exit, signal, deadline, memory, disk or output.
        exit_status: of the failed step; negative is a signal.
        last_lines: the end of the failed step's output, at most 50 lines.
        timings_ms: step -> duration.
    """

    ok: bool
    failed_step: str = ""
    reason: Reason = ""
    exit_status: int = 0
    last_lines: Sequence[str] = ()
    timings_ms: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class InstanceSpec:
    """What to start.

    Attributes:
        instance_id: `ins_…`, unique for ever.
        slug_digest: sha256 of the slug; a driver that has unpacked it before does not need `slug`.
        slug: gives the local path of the slug's file; called only when it is not unpacked yet. The driver deletes the
            file when it has unpacked it.
        run: shell command; it listens on 127.0.0.1 or any address at `port`, which it also finds in $PORT.
        port: 0 for a process that nobody dials; it has no $PORT and no address.
        root_dir: where the command runs, relative to the slug's root.
        env: the release's variables.
    """

    instance_id: str
    project_id: str
    release_id: str
    slug_digest: str
    slug: Callable[[], Awaitable[Path]]
    run: str
    runtime: Runtime
    root_dir: str = ""
    env: Mapping[str, str] = field(default_factory=dict)
    port: int = 3000
    limits: Limits = INSTANCE_LIMITS


@dataclass(frozen=True, slots=True)
class ExitInfo:
    """How an instance ended.

    Attributes:
        reason: exit (by itself), signal, memory (killed by its limit), stopped (by `stop`), or lost (nobody knows:
            the machine or its keeper died).
        exit_status: negative is a signal.
        at_ms: unix milliseconds.
        last_lines: the end of its output, at most 50 lines.
    """

    instance_id: str
    project_id: str
    release_id: str
    reason: Reason
    exit_status: int
    at_ms: int
    last_lines: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class InstanceInfo:
    """An instance that the driver knows: running, or ended and not yet removed.

    Attributes:
        address: where the router dials it, e.g. `dial:/run/…/d.sock`; "" without a port.
        pid: of the process that keeps it, 0 when it has ended.
        exit: how it ended, None while it runs.
    """

    instance_id: str
    project_id: str
    release_id: str
    address: str
    started_at_ms: int
    pid: int
    exit: ExitInfo | None = None


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line of an instance's output; `at_ms` is unix milliseconds."""

    at_ms: int
    stream: LogStream
    text: str


@dataclass(frozen=True, slots=True)
class LogPage:
    """Lines after an offset, and the offset to ask from next time. Lines that rotation removed are skipped."""

    lines: Sequence[LogLine]
    next: int


@dataclass(frozen=True, slots=True)
class Command:
    """A further command in an instance.

    Attributes:
        arguments: the program, found on the app's PATH, and its arguments.
        tty: give it a terminal; then there is one output, and `rows`, `cols` and `term` count.
    """

    arguments: Sequence[str]
    tty: bool = False
    rows: int = 24
    cols: int = 80
    term: str = "xterm"


class Session(Protocol):
    """A command that runs in an instance, under the app's own uid, variables and limits."""

    async def read(self) -> tuple[LogStream, bytes] | None:
        """Some output, stdout or stderr; None when there is no more, which is soon after the command has ended."""

    async def write(self, data: bytes) -> None:
        """Gives it input; waits while it does not read. What it does not want any more is dropped."""

    async def end_input(self) -> None:
        """Closes its stdin; with a terminal, types the end-of-file character."""

    def resize(self, rows: int, cols: int) -> None:
        """Its terminal has another size."""

    async def wait(self) -> int:
        """Its exit status, negative for a signal; -9 also when the instance ended under it."""

    def kill(self) -> None:
        """Ends the command; what it has said can still be read."""

    async def close(self) -> None:
        """Lets go; kills the command if it still runs."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What an instance uses.

    Attributes:
        cpu_s: processor time since its start, seconds.
        memory_bytes: resident now, without what the kernel could drop at once.
        processes: how many.
    """

    cpu_s: float
    memory_bytes: int
    processes: int


class Driver(Protocol):
    """Builds trees, starts and stops instances, and tells how they ended."""

    async def open(self) -> None:
        """Finds what an earlier process of this driver started. Call once, before anything else.

        Raises:
            ShipoffError: SANDBOX_UNAVAILABLE when this machine cannot isolate tenants.
        """

    async def close(self) -> None:
        """Lets go; running builds are killed, running instances go on."""

    async def build(self, job: BuildJob, on_line: OnLine) -> BuildResult:
        """Runs the plan's steps in a sandbox. Cancelling the awaiting task kills the whole process tree.

        Raises:
            ShipoffError: RUNTIME_MISSING, SANDBOX_UNAVAILABLE. A build that fails is a result, not an error.
        """

    async def start(self, spec: InstanceSpec) -> InstanceInfo:
        """Starts an instance and returns when its process runs and its address accepts dials (the app may not yet).

        Raises:
            ShipoffError: RUNTIME_MISSING, SANDBOX_UNAVAILABLE, INSTANCE_START_FAILED.
        """

    async def stop(self, instance_id: str, grace_s: float) -> ExitInfo:
        """SIGTERM, at most `grace_s` seconds of grace, SIGKILL to all of it. Stopping what has ended is no error.

        Raises:
            ShipoffError: INSTANCE_UNKNOWN.
        """

    async def connections(self, instance_id: str) -> int:
        """How many TCP connections to the instance's port are established now; 0 when it has ended."""

    async def exec(self, instance_id: str, command: Command) -> Session:
        """Runs a further command in an instance.

        Raises:
            ShipoffError: INSTANCE_UNKNOWN, EXEC_FAILED.
        """

    async def usage(self) -> Mapping[str, Usage]:
        """What each running instance uses."""

    async def remove(self, instance_id: str) -> None:
        """Forgets an instance that has ended, with its logs; unknown ones are ignored."""

    async def list(self) -> list[InstanceInfo]:
        """All instances, also those that another process of this driver started, before or beside us."""

    def watch(self) -> AsyncIterator[ExitInfo]:
        """Yields every exit that happens from now on, `stop`'s included. Ends when the driver closes."""

    async def logs(self, instance_id: str, after: int = 0) -> LogPage:
        """Reads at most 1000 lines after an offset of an earlier page (0: from the first line still kept).

        Raises:
            ShipoffError: INSTANCE_UNKNOWN.
        """

    async def seed(self, project_id: str, slug_digest: str, tree: Path) -> None:
        """Offers the tree that a slug was just packed from, so that the first start here need not unpack it.

        The driver may move the tree away; it is of no use to the caller afterwards.
        """

    async def prune(self, keep_slugs: set[str]) -> None:
        """Deletes unpacked slugs whose digests are not listed and that no instance runs on, and what is half done."""
