"""The supervisor's part of the access log's way, as one thing: its door and its shipper."""

from __future__ import annotations

from pathlib import Path

from router.access_log.door import LogDoor
from router.access_log.shipper import Shipper
from router.settings import RouterSettings


class LogWay:
    """From the workers' socket to logsink.

    Attributes:
        counts: records by what became of them.
    """

    def __init__(self, settings: RouterSettings, path: Path) -> None:
        self._shipper = Shipper(settings.logsink_address, settings.requests_token, settings.node)
        self._door = LogDoor(path, self._shipper.put)
        self.counts = self._shipper.counts

    async def start(self) -> None:
        """Takes frames and sends them on."""
        await self._door.start()
        self._shipper.start()

    async def stop(self) -> None:
        """Takes nothing more, sends what it has."""
        await self._door.stop()
        await self._shipper.stop()
