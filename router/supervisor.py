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
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from kernel.errors import ShipoffError, define
from kernel.tasks import spawn, stop
from router import control
from router.admin import RouterAdmin
from router.cloudflare import trust_of
from router.edge.caching.shelf import shelf_place
from router.exposition import Own, exposition
from router.inherited import Inherited
from router.listening import LISTEN_FAILED, Sockets, bind, doors
from router.processes import Usage, usage
from router.settings import RouterSettings, host_port
from router.settings_file import compare, digest
from router.tally import Tally

if TYPE_CHECKING:
    from router.access_log.way import LogWay

log = logging.getLogger(__name__)
ALREADY_RUNNING = define("ALREADY_RUNNING", source="client", hint="stop it, or set another SHIPOFF_ROUTER_STATE_DIR")
_FIRST_PAUSE_S: Final = 0.1
_LONGEST_PAUSE_S: Final = 5.0
_STEADY_S: Final = 10.0
_POLL_S: Final = 0.05
_KILL_S: Final = 5.0


class Slot:
    """A worker's place: its listening sockets live as long as the router, its processes come and go.

    Attributes:
        serial: of its process among all that this supervisor has started.
        cpu_s, cpu_before_s: seconds of CPU when last looked at, and of its earlier processes.
    """

    def __init__(self, number: int, sockets: Sockets) -> None:
        self.number = number
        self.sockets = sockets
        self.process: Process | None = None
        self.last_id = ""
        self.serial = 0
        self.cpu_s = 0.0
        self.cpu_before_s = 0.0


class Supervisor:
    """The router's first process.

    Args of the constructor:
        read: reads the settings again.
    """

    def __init__(self, settings: RouterSettings, read: Callable[[], RouterSettings]) -> None:
        self.settings = settings
        self.slots: list[Slot] = []
        self.stopping: bool = False
        self._read = read
        self._told = asyncio.Event()
        self._reloads = {"taken": 0, "refused": 0}
        self.tally = Tally()
        self._restarts = self._started = 0
        self._temporary = ""
        self._lock = -1
        self._tasks: list[asyncio.Task[None]] = []
        self._admin: RouterAdmin | None = None
        self._log: LogWay | None = None
        self._old: list[tuple[Path, Sockets]] = []

    async def run(self, stopped: asyncio.Event) -> None:
        """Serves until the event is set, then ends the workers in order."""
        self._take_state_dir()
        try:
            self._check(self.settings)
            self._old = await self._find_old()
            self._bind()
            await self._open_admin()
            await self._open_log()
            loop = asyncio.get_running_loop()
            loop.add_signal_handler(signal.SIGHUP, self._told.set)
            self._tasks.append(spawn(self._reload_when_told(), "router.reload"))
            self._tasks += [spawn(self._keep(slot), f"router.slot{slot.number}") for slot in self.slots]
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

    async def _find_old(self) -> list[tuple[Path, Sockets]]:
        """Workers that an earlier supervisor left, with their listening sockets."""
        found: list[tuple[Path, Sockets]] = []
        for path in control.socket_paths(self.directory, self.settings.state_dir):
            try:
                status, descriptors = await control.ask(path, {"ask": "listeners"})
            except (ConnectionRefusedError, FileNotFoundError):
                path.unlink(missing_ok=True)
                continue
            except (OSError, TimeoutError) as error:
                log.warning("a worker of before at %s does not answer: %r", path.name, error)
                continue
            sockets = [socket.socket(fileno=descriptor) for descriptor in descriptors]
            found.append((path, dict(zip(status["listening"], sockets, strict=True))))
        return found

    def _bind(self) -> None:
        wanted = doors(self.settings)
        made = bind(wanted, self.settings.worker_count(), [sockets for _, sockets in self._old])
        self.slots = [Slot(number, sockets) for number, sockets in enumerate(made)]
        for name, sock in made[0].items():
            log.info("listening at %s: %s port %d", name, *sock.getsockname()[:2])

    def _check(self, settings: RouterSettings) -> None:
        """Refuses settings with which no worker could serve.

        Raises:
            ShipoffError: what is wrong.
        """
        trust_of(settings)
        if settings.listen_tls:
            from router.edge.certificate_store import CERTIFICATE_INVALID, CertificateStore  # 10 MB, for TLS only

            if not len(CertificateStore(settings).scan()):
                raise CERTIFICATE_INVALID("listen_tls is set, and tls_certificates names no certificate that is good")

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
        told, descriptors = Inherited(self.settings, slot.sockets).give()
        command = [sys.executable, "-m", "router", "--worker", str(slot.number), "--inherited", str(told)]
        command += ["--control", str(self.directory), "--replaces", slot.last_id]
        if self._temporary:
            command += ["--owner", str(os.getpid())]
        try:
            process = await asyncio.create_subprocess_exec(*command, pass_fds=descriptors, start_new_session=True)
        finally:
            os.close(told)
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
            ),
            "settings_reloads": ("times that the settings were read again", "result", self._reloads),
        }
        if self._log is not None:
            own["log_records"] = ("access log records by what became of them", "result", self._log.counts)
        return exposition(self.tally.total(), self.usage(), own)

    def usage(self) -> list[Usage]:
        """What the supervisor and the workers that run take of the machine."""
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
            ours = digest(self.settings)
            if any(status["settings"] != ours for status in await self.statuses()):
                await self._tell_settings()  # one that was being born while they changed

    # --- settings ----------------------------------------------------------------------------------------------------

    async def _reload_when_told(self) -> None:
        while True:
            await self._told.wait()
            self._told.clear()
            try:
                await self._reload()
                self._reloads["taken"] += 1
            except ShipoffError as error:
                self._reloads["refused"] += 1
                log.error("the settings are not changed: %s", error)
            await self.ask_all({"ask": "reload"})  # tables of files, and certificates, are the workers' own to read

    async def _reload(self) -> None:
        """Reads the settings again; what can change in a running router does, the rest is named.

        Raises:
            ShipoffError: they are wrong; nothing has changed.
        """
        settings, live, waiting = compare(self.settings, self._read())
        self._check(settings)
        self.settings = settings
        if live:
            logging.getLogger().setLevel(settings.log_level)
            await self._tell_settings()
            log.info("settings changed: %s", ", ".join(live))
        if waiting:
            log.warning("settings that change with the next start only: %s", ", ".join(waiting))

    async def _tell_settings(self) -> None:
        await self.ask_all({"ask": "settings", "settings": self.settings.model_dump(mode="json")})

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
            for sock in slot.sockets.values():
                sock.close()
        if not self.settings.cache_dir and (place := shelf_place(self.settings, self.directory)) is not None:
            shutil.rmtree(place, ignore_errors=True)
        if self._temporary:
            shutil.rmtree(self._temporary, ignore_errors=True)
        if self._lock >= 0:
            os.close(self._lock)
