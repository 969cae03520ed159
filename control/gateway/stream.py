"""Answers that come item by item: what a handler gives, and how it is sent.

As JSON lines, or as server-sent events when `Accept` asks for `text/event-stream` (HTML Standard, section 9.2): each
item an event with an id, by which reading goes on when it comes back in `Last-Event-ID`; `event: problem` is a failure,
and `event: end` the end, after which nothing is gained by connecting again. Comments keep a quiet connection.

Whoever listens is asked again each minute whether they still may, and the stream ends when they may not.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import Final, Generic, Protocol, TypeVar

import orjson
from aiohttp import web
from aiohttp_sse import EventSourceResponse

from control.gateway.problems import REQUEST_INVALID
from kernel import tasks
from kernel.errors import ShipoffError

log = logging.getLogger(__name__)
Item = TypeVar("Item")
Still = Callable[[], Awaitable[None]]
NDJSON: Final = "application/x-ndjson"
EVENTS: Final = "text/event-stream"
LAST_EVENT: Final = "Last-Event-ID"
HEARTBEAT_S: Final = 15.0
RETRY_MS: Final = 2000
GONE: Final = frozenset({401, 403, 404})


@dataclass(frozen=True, slots=True)
class Stream(Generic[Item]):
    """An answer that goes on.

    Attributes:
        items: TypedDicts, each sent as it comes. It is closed when the client goes.
        mark: the id of an item, which the handler understands in `last_event`; None when reading can't go on.
    """

    items: AsyncGenerator[Item, None]
    mark: Callable[[Item], str] | None = None


def last_event(request: web.Request) -> str:
    """The id of the last event that the client has; "" for a client that begins.

    Raises:
        ShipoffError: REQUEST_INVALID when it can be none of ours.
    """
    shown = request.headers.get(LAST_EVENT, "")
    if len(shown) > 100 or not shown.isascii():
        raise REQUEST_INVALID(f"{LAST_EVENT} is none of ours", hint="send the id of an event as it came")
    return shown


async def send(
    request: web.Request, stream: Stream[Item], headers: Mapping[str, str], still: Still | None, every_s: float
) -> web.StreamResponse:
    """Sends a stream; waits while the client does not read.

    Args:
        request: that is answered.
        stream: what to send.
        headers: of the answer.
        still: raises when the client may not read any more; None when anybody may.
        every_s: between two questions.
    """
    as_events = EVENTS in request.headers.get("Accept", "")
    if request.method == "HEAD":
        await stream.items.aclose()
        return web.Response(headers={**headers, **_UNBUFFERED, "Content-Type": EVENTS if as_events else NDJSON})
    voice: _Voice = _Events(headers) if as_events else _Lines(headers)
    await voice.response.prepare(request)
    async with aclosing(stream.items):
        failure = await _all(stream, voice, still, every_s)
    await voice.end(failure)
    await voice.response.write_eof()
    return voice.response


async def _all(stream: Stream[Item], voice: _Voice, still: Still | None, every_s: float) -> ShipoffError | None:
    """Sends all items; returns why it ended before."""
    try:
        async with while_allowed(still, every_s):
            async for item in stream.items:
                await voice.item(item, stream.mark(item) if stream.mark else None)
    except ShipoffError as error:
        log.warning("a stream ends: %s", error)
        return error
    return None


@asynccontextmanager
async def while_allowed(still: Still | None, every_s: float) -> AsyncIterator[None]:
    """Ends what takes as long as it likes when whoever asked for it may not any more.

    Args:
        still: raises then; None when anybody may.
        every_s: between two questions.

    Raises:
        ShipoffError: what `still` refused with.
    """
    if still is None:
        yield
        return
    scope = asyncio.timeout(None)
    guard: _Guard | None = None
    try:
        async with scope:
            guard = _Guard(still, scope, every_s)
            yield
    except TimeoutError:
        if guard is None or guard.refusal is None:
            raise
        raise guard.refusal from None
    finally:
        if guard is not None:
            await guard.stop()


class _Guard:
    """Asks again and again whether a stream may go on, and ends its block when it may not.

    A service that can't be asked ends nothing: what was allowed a minute ago is likely still so.
    """

    def __init__(self, still: Still, scope: asyncio.Timeout, every_s: float) -> None:
        self.refusal: ShipoffError | None = None
        self._still, self._scope, self._every_s = still, scope, every_s
        self._task = tasks.spawn(self._run(), "guard of a stream")

    async def stop(self) -> None:
        await tasks.stop(self._task)

    async def _run(self) -> None:
        while self.refusal is None:
            await asyncio.sleep(self._every_s)
            try:
                await self._still()
            except ShipoffError as error:
                if error.status in GONE and not error.retryable:
                    self.refusal = error
        self._scope.reschedule(asyncio.get_running_loop().time())


class _Voice(Protocol):
    """How items are written."""

    response: web.StreamResponse

    async def item(self, item: object, mark: str | None) -> None: ...

    async def end(self, failure: ShipoffError | None) -> None: ...


class _Lines:
    """JSON lines; a failure is a last line `{"error": {"code", "detail", "hint"}}`."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        self.response = web.StreamResponse(headers={**headers, **_UNBUFFERED, "Content-Type": NDJSON})

    async def item(self, item: object, mark: str | None) -> None:
        await self.response.write(orjson.dumps(item) + b"\n")

    async def end(self, failure: ShipoffError | None) -> None:
        if failure is not None:
            await self.item({"error": _said(failure)}, None)


class _Events:
    """Server-sent events."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        self._events = EventSourceResponse(headers=dict(headers), ping_interval=HEARTBEAT_S)
        self._events.headers.update(_UNBUFFERED)  # it says no-cache by itself
        self.response: web.StreamResponse = self._events
        self._retry: int | None = RETRY_MS

    async def item(self, item: object, mark: str | None) -> None:
        await self._events.send(orjson.dumps(item).decode(), id=mark, retry=self._retry)
        self._retry = None

    async def end(self, failure: ShipoffError | None) -> None:
        if failure is not None:
            await self._events.send(orjson.dumps(_said(failure)).decode(), event="problem")
        if failure is None or not failure.retryable:
            await self._events.send("{}", event="end")


def _said(failure: ShipoffError) -> dict[str, str]:
    return {"code": failure.code, "detail": failure.detail, "hint": failure.hint}


_UNBUFFERED: Final = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
