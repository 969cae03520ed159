"""Keeps N workers running, hands listening sockets from one generation to the next, and answers for all of them.

Workers are sessions of their own: when this process is SIGKILLed they go on serving. The next supervisor takes their
listening sockets over (the same sockets, so no connection that waits in an accept queue is lost), starts new workers on
them, and tells the old ones to drain once the new ones serve.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import logging
import os
import shutil
import signal
import socket
import sys
import tempfile
import time
from asyncio.subprocess import Process
from pathlib import Path
from typing import TYPE_CHECKING, Final

from kernel.errors import define
from kernel.tasks import spawn, stop
from router import control
from router.admin import RouterAdmin
from router.exposition import Own, exposition
from router.processes import Usage, usage
from router.settings import RouterSettings, host_port
from router.tally import Tally

if TYPE_CHECKING:
    from router.access_log.way import LogWay

log = logging.getLogger(__name__)
LISTEN_FAILED = define("LISTEN_FAILED", source="client", hint="choose another address, or stop what listens there")
ALREADY_RUNNING = define("ALREADY_RUNNING", source="client", hint="stop it, or set another SHIPOFF_ROUTER_STATE_DIR")
_FIRST_PAUSE_S: Final = 0.1
_LONGEST_PAUSE_S: Final = 5.0
_STEADY_S: Final = 10.0
_POLL_S: Final = 0.05
_KILL_S: Final = 5.0


class Slot:
    """A worker's place: its listening socket lives as long as the router, its processes come and go.

    Attributes:
        serial: of its process among all that this supervisor has started.
        cpu_s, cpu_before_s: seconds of CPU when last looked at, and of its earlier processes.
    """

    def __init__(self, number: int, listener: socket.socket) -> None:
        self.number = number
        self.listener = listener
        self.process: Process | None = None
        self.last_id = ""
        self.serial = 0
        self.cpu_s = 0.0
        self.cpu_before_s = 0.0


class Supervisor:
    """The router's first process.

    Args of the constructor:
        arguments: of this program, passed on to the workers.
    """

    def __init__(self, settings: RouterSettings, arguments: list[str]) -> None:
        self.settings = settings
        self.slots: list[Slot] = []
        self.stopping: bool = False
        self._arguments = arguments
        self.tally = Tally()
        self._restarts = self._started = 0
        self._temporary = ""
        self._lock = -1
        self._tasks: list[asyncio.Task[None]] = []
        self._admin: RouterAdmin | None = None
        self._log: LogWay | None = None
        self._old: list[tuple[Path, socket.socket | None]] = []

    async def run(self, stopped: asyncio.Event) -> None:
        """Serves until the event is set, then ends the workers in order."""
        self._take_state_dir()
        try:
            self._old = await self._find_old()
            self._bind(self._old)
            await self._open_admin()
            await self._open_log()
            loop = asyncio.get_running_loop()
            loop.add_signal_handler(signal.SIGHUP, lambda: self._signal(signal.SIGHUP))
            self._tasks = [spawn(self._keep(slot), f"router.slot{slot.number}") for slot in self.slots]
            self._tasks.append(spawn(self._hand_over(), "router.handover"))
            self._tasks.append(spawn(self._watch(), "router.watch"))
            await stopped.wait()
        finally:
            await self._stop()

    # --- start -------------------------------------------------------------------------------------------------------

    def _take_state_dir(self) -> None:
        if not self.settings.state_dir:
            self._temporary = tempfile.mkdtemp(prefix="shipoff-router-")
            self.directory = Path(self._temporary)
            return
        Path(self.settings.state_dir).mkdir(parents=True, exist_ok=True, mode=0o700)
        self.directory = self.settings.control_dir()
        self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._lock = os.open(
            Path(self.settings.state_dir) / "router.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600
        )
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ALREADY_RUNNING(f"a router runs already in {self.settings.state_dir}") from None

    async def _find_old(self) -> list[tuple[Path, socket.socket | None]]:
        """Workers that an earlier supervisor left, with their listening sockets where these are the ones we want."""
        found: list[tuple[Path, socket.socket | None]] = []
        for path in control.socket_paths(self.directory, self.settings.state_dir):
            try:
                status, descriptor = await control.ask(path, {"ask": "listener"})
            except (ConnectionRefusedError, FileNotFoundError):
                path.unlink(missing_ok=True)
                continue
            except (OSError, TimeoutError) as error:
                log.warning("a worker of before at %s does not answer: %r", path.name, error)
                continue
            listener = socket.socket(fileno=descriptor) if descriptor is not None else None
            if listener is not None and status["listen"] != self.settings.listen:
                listener.close()
                listener = None
            found.append((path, listener))
        return found

    def _bind(self, old: list[tuple[Path, socket.socket | None]]) -> None:
        taken = [listener for _, listener in old if listener is not None]
        address = host_port(self.settings.listen)
        if taken:
            address = taken[0].getsockname()[:2]
        else:
            address = _probe(address)
        for number in range(self.settings.worker_count()):
            self.slots.append(Slot(number, taken.pop(0) if taken else _bound(address, shared=True)))
        for surplus in taken:
            surplus.close()  # its worker accepts what waits in it before it closes
        log.info("listening on %s:%d", *address)

    async def _open_admin(self) -> None:
        if self.settings.admin:
            host, port = host_port(self.settings.admin)
            self._admin = RouterAdmin(host, port, self)
            try:
                await self._admin.start()
            except OSError as error:
                raise LISTEN_FAILED(f"admin door {self.settings.admin}: {error.strerror}") from error

    async def _open_log(self) -> None:
        """The way of the access log to logsink; without it this process carries no gRPC."""
        settings = self.settings
        if settings.logsink_address and not settings.access_log:
            from router.access_log.way import LogWay

            self._log = LogWay(settings, control.log_path(self.directory, settings.state_dir))
            await self._log.start()

    # --- workers -----------------------------------------------------------------------------------------------------

    async def _keep(self, slot: Slot) -> None:
        """Keeps a worker in its slot; one that dies at once again and again is started ever more slowly."""
        pause = _FIRST_PAUSE_S
        while not self.stopping:
            started = time.monotonic()
            slot.process = await self._start(slot)
            status = await slot.process.wait()
            if self._is_stopping():
                return
            self._bury(slot)
            lived = time.monotonic() - started
            pause = _FIRST_PAUSE_S if lived > _STEADY_S else min(pause * 2, _LONGEST_PAUSE_S)
            log.error("worker %d (pid %d) ended with %d; starting another", slot.number, slot.process.pid, status)
            await asyncio.sleep(pause)

    def _is_stopping(self) -> bool:
        return self.stopping

    async def _start(self, slot: Slot) -> Process:
        descriptor = slot.listener.fileno()
        command = [sys.executable, "-m", "router", *self._arguments, "--worker", str(slot.number)]
        command += ["--listener", str(descriptor), "--control", str(self.directory), "--replaces", slot.last_id]
        if self._temporary:
            command += ["--owner", str(os.getpid())]
        process = await asyncio.create_subprocess_exec(*command, pass_fds=(descriptor,), start_new_session=True)
        slot.last_id = f"{self.settings.node}-{process.pid}"
        slot.serial = self._started = self._started + 1
        return process

    async def statuses(self) -> list[control.Json]:
        """The status of every worker that answers."""
        return await self.ask_all({"ask": "status"})

    async def ask_all(self, question: control.Json) -> list[control.Json]:
        """Asks every worker; leaves out those that do not answer."""
        answers = await asyncio.gather(*(self._ask(slot, question) for slot in self.slots))
        return [answer for answer in answers if answer is not None]

    async def _ask(self, slot: Slot, question: control.Json) -> control.Json | None:
        process, serial = slot.process, slot.serial
        if process is None or process.returncode is not None:
            return None
        path = control.socket_path(self.directory, self.settings.state_dir, process.pid)
        try:
            answer, _ = await control.ask(path, question)
        except (OSError, TimeoutError):
            return None
        if "numbers" in answer:
            self.tally.note(serial, answer["numbers"])
        return answer

    async def missing(self) -> str:
        """What keeps the router from being ready, or ""."""
        if self.stopping:
            return "stopping"
        ready = [status for status in await self.statuses() if status["ready"]]
        waiting = len(self.slots) - len(ready)
        return f"{waiting} of {len(self.slots)} workers serve no table yet" if waiting else ""

    async def metrics(self) -> bytes:
        """What Prometheus scrapes: all workers, those that have ended included."""
        await self.statuses()
        own: Own = {
            "worker_restarts": (
                "workers that ended by themselves and were started anew",
                "why",
                {"ended": self._restarts},
            )
        }
        if self._log is not None:
            own["log_records"] = ("access log records by what became of them", "result", self._log.counts)
        return exposition(self.tally.total(), self._usage(), own)

    def _usage(self) -> list[Usage]:
        taken = [usage("supervisor", os.getpid())]
        for slot in self.slots:
            found = usage(str(slot.number), slot.process.pid) if slot.process is not None else None
            if found is not None:
                slot.cpu_s = found.cpu_s
                found = found._replace(cpu_s=slot.cpu_before_s + found.cpu_s)
            taken.append(found)
        return [one for one in taken if one is not None]

    def _bury(self, slot: Slot) -> None:
        self._restarts += 1
        self.tally.bury(slot.serial)
        slot.cpu_before_s, slot.cpu_s = slot.cpu_before_s + slot.cpu_s, 0.0

    async def _watch(self) -> None:
        """Remembers what workers counted, so that a crash loses at most a second of it."""
        while True:
            await asyncio.sleep(1)
            await self.statuses()

    # --- generations -------------------------------------------------------------------------------------------------

    async def _hand_over(self) -> None:
        """Tells the workers of before to drain once ours serve; as long as ours do not, those are better than none."""
        while self._old and await self.missing():  # noqa: ASYNC110 - the readiness is that of other processes
            await asyncio.sleep(_POLL_S)
        await self._drain_old()

    async def _drain_old(self) -> None:
        old, self._old = self._old, []
        for path, _ in old:
            with contextlib.suppress(OSError, TimeoutError):  # it has ended by itself
                await control.ask(path, {"ask": "drain"})
        if old:
            log.info("%d workers of before were told to drain", len(old))

    # --- end ---------------------------------------------------------------------------------------------------------

    def _signal(self, number: int) -> None:
        for slot in self.slots:
            if slot.process is not None and slot.process.returncode is None:
                slot.process.send_signal(number)

    async def _stop(self) -> None:
        self.stopping = True
        self._signal(signal.SIGTERM)
        await self._drain_old()
        running = [slot.process for slot in self.slots if slot.process is not None]
        waits = [spawn(process.wait(), "router.stop") for process in running if process.returncode is None]
        if waits:
            _, stuck = await asyncio.wait(waits, timeout=self.settings.drain_s + _KILL_S)
            if stuck:
                log.error("%d workers did not end in time and are killed", len(stuck))
                self._signal(signal.SIGKILL)
                await asyncio.wait(waits)
        await stop(*self._tasks)
        if self._log is not None:
            await self._log.stop()
        if self._admin is not None:
            await self._admin.stop()
        for slot in self.slots:
            slot.listener.close()
        if self._temporary:
            shutil.rmtree(self._temporary, ignore_errors=True)
        if self._lock >= 0:
            os.close(self._lock)


def _probe(address: tuple[str, int]) -> tuple[str, int]:
    """Makes sure that nobody listens on the address: SO_REUSEPORT would share it with a stranger in silence."""
    probe = _bound(address, shared=False)
    host, port = probe.getsockname()[:2]
    probe.close()
    return host, port


def _bound(address: tuple[str, int], shared: bool) -> socket.socket:
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if shared:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        sock.bind(address)
    except OSError as error:
        sock.close()
        raise LISTEN_FAILED(f"{address[0]}:{address[1]}: {error.strerror}") from error
    sock.setblocking(False)
    return sock
