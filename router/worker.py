"""One worker: a loop that serves requests from its own listening sockets, with its own table, feed and control door."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import resource
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from kernel.errors import ShipoffError
from kernel.service import end_with
from kernel.tasks import spawn, stop
from router import control
from router.access_log.file import FileOutlet, file_outlet
from router.access_log.outlet import Outlet, SocketSink
from router.activity import ActivityReports
from router.debug import Debug
from router.edge.caching.purging import groups
from router.edge.caching.responses import ResponseCache
from router.edge.caching.shelf import open_shelf
from router.edge.context import TICK_S, Edge
from router.edge.doorway import visitors
from router.edge.poller import Listener
from router.edge.static import StaticSites
from router.feed import Feed
from router.inherited import Inherited
from router.listening import is_secure
from router.settings import RouterSettings
from router.settings_file import digest
from router.snapshot import Snapshot
from router.table_file import TableFile
from router.wakes import Wakes

if TYPE_CHECKING:
    from router.edge.certificate_store import CertificateKeeper

log = logging.getLogger(__name__)
_BACKLOG: Final = 4096
_IDLE_GRACE_S: Final = 0.5


class Worker:
    """Everything that one worker process holds.

    Args of the constructor:
        slot: its place among the workers, 0 first.
        inherited: settings, and bound sockets that are shared with the supervisor and perhaps a worker that drains.
        directory: where control sockets are.
        replaces: the report id of a crashed worker whose place this one takes, or "".
    """

    def __init__(self, inherited: Inherited, slot: int, directory: Path, replaces: str = "") -> None:
        settings = self.settings = inherited.settings
        self.slot = slot
        self._digest = digest(settings)
        self.sockets = inherited.sockets
        self.stopping = asyncio.Event()
        self._edge = Edge(settings)
        self._debug = Debug(self._edge)
        self._id = f"{settings.node}-{os.getpid()}"
        self._ready = False
        self._listeners: list[Listener] = []
        self._certificates: CertificateKeeper | None = None
        self._ticker: asyncio.Task[None] | None = None
        self._feed: Feed | None = None
        self._wakes: Wakes | None = None
        self._reports: ActivityReports | None = None
        self._file: TableFile | None = None
        self._snapshot: Snapshot | None = None
        self._outlet = self._log_outlet(directory)
        if settings.table:
            self._file = TableFile(self._edge, Path(settings.table))
        else:
            if settings.state_dir:
                path = Path(settings.state_dir) / "table.jsonl"
                self._snapshot = Snapshot(self._edge, path, writes=slot == 0)
            self._feed = Feed(self._edge, settings.redis_url, self._id, self._snapshot, replaces)
            self._wakes = Wakes(self._edge, settings.redis_url, self._id)
            self._reports = ActivityReports(self._edge, settings.redis_url, self._id)
        if settings.cache_memory:
            self._edge.responses = ResponseCache(self._edge, lambda: open_shelf(settings, directory))
            if settings.cache_dir:
                self._edge.responses.open()  # what is wrong with it is told at once
        if settings.s3_endpoint:
            self._edge.static = StaticSites(self._edge)
        self._door = control.ControlServer(
            control.socket_path(directory, settings.state_dir, os.getpid()), self._answer
        )

    async def run(self) -> None:
        """Serves until told to stop, then drains."""
        _raise_descriptor_limit()
        self._door.start()
        self._ticker = spawn(self._tick(), "router.tick")
        if self._outlet is not None:
            self._outlet.start()
        try:
            if await self._get_table():
                await self._listen()
                await self.stopping.wait()
            await self._drain()
        finally:
            await self._close()

    def _log_outlet(self, directory: Path) -> Outlet | FileOutlet | None:
        settings, noted = self.settings, self._edge.access_log
        if noted is None:
            return None
        if settings.access_log:
            return file_outlet(noted, settings.access_log)
        return Outlet(noted, SocketSink(control.log_path(directory, settings.state_dir)))

    async def _get_table(self) -> bool:
        """Waits for a table; False when the worker is stopped before."""
        if self._file is not None:
            await self._file.load()
            return True
        feed = self._feed
        if feed is None:
            return False
        first = spawn(feed.start(), "router.feed.start")
        told = spawn(self.stopping.wait(), "router.stopping")
        await asyncio.wait((first, told), return_when=asyncio.FIRST_COMPLETED)
        await stop(told)
        if not first.done():
            await stop(first)
            return False
        first.result()
        if self._snapshot is not None:
            self._snapshot.start()
        return True

    async def _listen(self) -> None:
        edge = self._edge
        if self.settings.listen_tls:
            from router.edge.certificate_store import CertificateKeeper  # 10 MB, for TLS only

            self._certificates = CertificateKeeper(edge)
            await self._certificates.start()
        for name, sock in self.sockets.items():
            visitor = visitors(edge, is_secure(name))
            self._listeners.append(Listener(edge.streams(), sock.dup(), visitor, _BACKLOG, edge.is_full))
        if self._wakes is not None:
            self._wakes.start()
        if self._reports is not None:
            self._reports.start()
        self._ready = True
        log.info("worker %d serves version %d of the table", self.slot, self._edge.table.version)

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            self._edge.tick()

    # --- the end -----------------------------------------------------------------------------------------------------

    async def _drain(self) -> None:
        """Takes nothing new, finishes what runs, at most `drain_s` seconds."""
        edge = self._edge
        self._ready = False
        edge.draining = True
        for listener in self._listeners:
            listener.close()
        for sock in self.sockets.values():
            sock.close()
        started = time.monotonic()
        while (edge.clients or edge.tunnels or edge.doorways) and time.monotonic() - started < self.settings.drain_s:
            if time.monotonic() - started >= _IDLE_GRACE_S:
                for client in list(edge.clients):
                    client.retire()
            await asyncio.sleep(0.02)
        for tunnel in list(edge.tunnels):
            tunnel.close()
        for client in list(edge.clients):
            client.break_off()
        for doorway in list(edge.doorways):
            doorway.expire()
        await asyncio.sleep(0)

    async def _close(self) -> None:
        if self._feed is not None:
            await self._feed.stop()
        if self._wakes is not None:
            await self._wakes.stop()
        if self._reports is not None:
            await self._reports.stop()
        if self._snapshot is not None:
            await self._snapshot.stop()
        if self._edge.static is not None:
            await self._edge.static.close()
        if self._certificates is not None:
            await self._certificates.stop()
        if self._edge.responses is not None:
            # Only what is in a directory of the operator's outlives its router. The supervisor removes the rest, unless
            # it is gone with all that could follow it.
            left = not (self.settings.cache_dir or self.stopping.is_set())
            await self._edge.responses.close(remove=left)
        await self._door.stop()
        await stop(self._ticker)
        self._edge.tick()
        if self._outlet is not None:
            await self._outlet.stop()
        self._edge.close()

    # --- the control door --------------------------------------------------------------------------------------------

    async def _answer(self, question: control.Json) -> tuple[control.Json, list[int]]:
        match question.get("ask"):
            case "status":
                return self._status(), []
            case "listeners":
                sockets = {} if self.stopping.is_set() else self.sockets
                return {"listening": list(sockets)}, [sock.fileno() for sock in sockets.values()]
            case "drain":
                self.stopping.set()
                return {}, []
            case "reload":
                self.reload()
                return {}, []
            case "settings":
                return self._adopt(question["settings"]), []
            case "purge":
                return await self._purge(question), []
        return self._debug.answer(question), []

    def _adopt(self, values: control.Json) -> control.Json:
        """Works by other settings from now on; the supervisor has looked at them."""
        try:
            settings = RouterSettings.model_validate(values)
            self._edge.adopt(settings)
        except (ShipoffError, ValueError) as error:
            log.error("the settings are not changed: %s", error)
            return {"error": str(error)}
        self.settings = settings
        self._digest = digest(settings)
        logging.getLogger().setLevel(settings.log_level)
        return {}

    def reload(self) -> None:
        """Reads again what this worker reads itself: a table of a file, certificates."""
        if self._file is not None:
            _ = spawn(self._file.reload(), "router.reload")
        if self._certificates is not None:
            self._certificates.hurry()

    def _status(self) -> control.Json:
        return {
            "pid": os.getpid(),
            "slot": self.slot,
            "id": self._id,
            "ready": self._ready,
            "listening": list(self.sockets),
            "settings": self._digest,
            "epoch": self._edge.table.epoch,
            "version": self._edge.table.version,
            "numbers": self._edge.metrics.numbers(self._edge.gauges()),
        }

    async def _purge(self, question: control.Json) -> control.Json:
        try:
            found = groups(question, self._edge.table)
        except ShipoffError as error:
            return {"error": error.code, "detail": error.detail}
        responses = self._edge.responses
        if responses is None:
            return {"purged": 0}
        purged = sum(responses.purge(group) for group in found)
        return {"purged": purged + (await responses.purge_shelf(set(found)) if self.slot == 0 else 0)}


async def serve(inherited: Inherited, slot: int, directory: Path, owners: list[int], replaces: str) -> None:
    """Runs a worker until SIGTERM, a `drain`, or the end of one of its owners."""
    worker = Worker(inherited, slot, directory, replaces)
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, worker.stopping.set)
    loop.add_signal_handler(signal.SIGINT, worker.stopping.set)
    loop.add_signal_handler(signal.SIGHUP, worker.reload)
    work = spawn(worker.run(), "router.worker")
    for owner in owners:
        end_with(owner, work.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await work


def _raise_descriptor_limit() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
