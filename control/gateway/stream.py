"""Answers that come item by item: what a handler gives, and how it is sent."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

import orjson
from aiohttp import web

from kernel.errors import ShipoffError

log = logging.getLogger(__name__)
Item = TypeVar("Item")
NDJSON: Final = "application/x-ndjson"


@dataclass(frozen=True, slots=True)
class Stream(Generic[Item]):
    """An answer that goes on.

    Attributes:
        items: TypedDicts, each sent as it comes. It is closed when the client goes.
    """

    items: AsyncGenerator[Item, None]


async def send(request: web.Request, stream: Stream[object], headers: dict[str, str]) -> web.StreamResponse:
    """Sends a stream as JSON lines; waits while the client does not read.

    A failure in the middle becomes a last line `{"error": {"code", "detail", "hint"}}`.
    """
    head = {**headers, "Content-Type": NDJSON, "Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    response = web.StreamResponse(headers=head)
    await response.prepare(request)
    if request.method != "HEAD":
        async with aclosing(stream.items) as items:
            try:
                async for item in items:
                    await response.write(orjson.dumps(item) + b"\n")
            except ShipoffError as error:
                log.warning("a stream ends: %s", error)
                said = {"code": error.code, "detail": error.detail, "hint": error.hint}
                await response.write(orjson.dumps({"error": said}) + b"\n")
    await response.write_eof()
    return response
