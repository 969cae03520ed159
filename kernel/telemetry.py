"""JSON logs with the request id, and the plain HTTP door every process has: /healthz, /readyz, /metrics."""

from __future__ import annotations

import contextvars
import logging
import sys
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import orjson

if TYPE_CHECKING:
    from aiohttp import web  # imported by the door only: a router's worker has logs and no door, and 15 MB less

request_id: contextvars.ContextVar[str] = contextvars.ContextVar("request_id", default="")
traceparent: contextvars.ContextVar[str] = contextvars.ContextVar("traceparent", default="")

Readiness = Callable[[], Awaitable[str]]


class JsonFormatter(logging.Formatter):
    """One JSON object a line: at, level, service, logger, message, request_id, error."""

    def __init__(self, service: str) -> None:
        super().__init__()
        self._service = service

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "at": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "service": self._service,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if request := request_id.get():
            line["request_id"] = request
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return orjson.dumps(line).decode()


def configure_logging(service: str, level: str = "INFO") -> None:
    """Sends the process's logs to stderr as JSON lines."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter(service))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.getLogger("aiohttp.access").setLevel(logging.WARNING)
    logging.getLogger("botocore").setLevel(logging.WARNING)


class AdminDoor:
    """The admin HTTP server of a process.

    `/healthz` answers 200 as long as the loop turns; `/readyz` asks `ready`, which returns "" or what is missing (503).
    """

    def __init__(self, host: str, port: int, ready: Readiness) -> None:
        self._host, self._port, self._ready = host, port, ready
        from aiohttp import web

        self.app = web.Application()
        self.app.router.add_get("/healthz", self._health)
        self.app.router.add_get("/readyz", self._readiness)
        self.app.router.add_get("/metrics", self._metrics)
        self._runner = web.AppRunner(self.app, access_log=None, shutdown_timeout=1.0)

    async def start(self) -> int:
        """Listens; returns the port (useful when the configured one is 0)."""
        await self._runner.setup()
        from aiohttp import web

        site = web.TCPSite(self._runner, self._host, self._port)
        await site.start()
        port: int = self._runner.addresses[0][1]
        return port

    async def stop(self) -> None:
        """Stops listening and closes what is open."""
        await self._runner.cleanup()

    async def _health(self, _: web.Request) -> web.Response:
        from aiohttp import web

        return web.Response(text="ok\n")

    async def _readiness(self, _: web.Request) -> web.Response:
        from aiohttp import web

        missing = await self._ready()
        return web.Response(text=(missing or "ready") + "\n", status=503 if missing else 200)

    async def _metrics(self, _: web.Request) -> web.Response:
        from aiohttp import web
        from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, generate_latest

        return web.Response(body=generate_latest(REGISTRY), headers={"Content-Type": CONTENT_TYPE_LATEST})
