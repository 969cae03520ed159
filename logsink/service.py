"""Puts the log service together, starts it in order and stops it in order."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta

import asyncpg

from kernel import tasks
from kernel.database import Database
from kernel.errors import ShipoffError
from kernel.telemetry import AdminDoor
from logsink.authority import Authority
from logsink.query.reader import Reader
from logsink.receive.door import Door
from logsink.receive.grpc_door import GrpcDoor
from logsink.receive.intake import Intake
from logsink.requests.store import RequestStore
from logsink.requests.upkeep import RequestLimits, RequestUpkeep
from logsink.settings import LogsinkSettings
from logsink.store.postgres import PostgresStore
from logsink.store.upkeep import Limits, Upkeep
from logsink.tail.hub import Hub

log = logging.getLogger(__name__)
Job = Callable[[], Awaitable[int]]


async def main(stop: asyncio.Event) -> None:
    """Runs until `stop` is set."""
    settings = LogsinkSettings.from_process("logsink")
    service = await LogService.start(settings)
    try:
        await stop.wait()
    finally:
        await service.stop()


class LogService:
    """The running service; `port` and `admin_port` are where it listens."""

    def __init__(
        self,
        db: Database,
        intake: Intake,
        hub: Hub,
        doors: list[Door],
        upkeep: Upkeep,
        settings: LogsinkSettings,
        authority: Authority,
    ) -> None:
        self._authority = authority
        self._db, self._intake, self._hub, self._doors, self._upkeep = db, intake, hub, doors, upkeep
        host, _, port = settings.admin.rpartition(":")
        self._admin = AdminDoor(host, int(port), self._ready)
        self._settings = settings
        self._requests = RequestUpkeep(db, _request_limits(settings))
        self._jobs: list[asyncio.Task[None]] = []
        self.port = self.admin_port = 0

    @classmethod
    async def start(cls, settings: LogsinkSettings) -> LogService:
        """Connects, then listens: whoever reaches a door can be served.

        Raises:
            ShipoffError: DATABASE_UNAVAILABLE, UNAVAILABLE (an address is taken).
        """
        db = await Database.connect(settings.database_url, max_size=settings.database_connections)
        store, hub = PostgresStore(db), Hub(settings.follower_bytes)
        intake = Intake(store, hub.publish)
        tokens = (settings.service_token, settings.requests_token)
        authority = Authority(settings)
        door = GrpcDoor(settings.listen, *tokens, intake, Reader(store, hub), RequestStore(db), authority)
        service = cls(db, intake, hub, [door], Upkeep(db, _limits(settings)), settings, authority)
        try:
            await service._open()
        except BaseException:
            await service.stop()
            raise
        return service

    async def _open(self) -> None:
        self._intake.start()
        self.admin_port = await self._admin.start()
        for door in self._doors:
            self.port = self.port or await door.start()
        self._jobs = [
            tasks.spawn(self._compacting(), "logsink compaction"),
            tasks.spawn(self._expiring(), "logsink retention"),
        ]
        log.info("listening on port %d", self.port)

    async def stop(self) -> None:
        """Live views end first (their readers come back by offset), then the doors, then what was taken is stored."""
        self._hub.close()
        for door in self._doors:
            await door.stop()
        await self._authority.close()
        await self._intake.stop()
        await tasks.stop(*self._jobs)
        await self._admin.stop()
        await self._db.close()

    async def _ready(self) -> str:
        try:
            await self._db.ping()
        except ShipoffError as error:
            return error.detail
        return ""

    async def _compacting(self) -> None:
        while True:
            await asyncio.sleep(self._settings.compact_every_s)
            await self._attempt("compaction", self._upkeep.compact)
            await self._attempt("compaction of requests", self._requests.compact)

    async def _expiring(self) -> None:
        while True:
            await self._attempt("retention", self._upkeep.expire)
            await self._attempt("retention of requests", self._requests.expire)
            await self._attempt("forgetting", self._upkeep.forget)
            await asyncio.sleep(self._settings.expire_every_s)

    async def _attempt(self, name: str, job: Job) -> None:
        """Upkeep that fails is tried again at its next turn; lines go in and out without it."""
        try:
            if count := await job():
                log.info("%s: %d", name, count)
        except (ShipoffError, asyncpg.PostgresError) as error:
            log.warning("%s failed and will be tried again: %s", name, error)


def _limits(settings: LogsinkSettings) -> Limits:
    return Limits(
        age=timedelta(days=settings.retention_days),
        project_bytes=settings.project_bytes,
        dedupe=timedelta(hours=settings.dedupe_hours),
        settle=timedelta(seconds=settings.settle_s),
    )


def _request_limits(settings: LogsinkSettings) -> RequestLimits:
    return RequestLimits(
        age=timedelta(days=settings.request_days),
        project_bytes=settings.project_request_bytes,
        settle=timedelta(seconds=settings.settle_s),
    )
