"""One HTTP/1.1 connection of the client: a request at a time, no task and no future for it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

from bench.load.answer import Answer, Malformed

if TYPE_CHECKING:
    from bench.load.pool import Pool


class Exchange:
    """A request on its way.

    Attributes:
        intended: when it was meant to start, ns on the monotonic clock.
        again: it may be sent once more when the server closes an idle connection under it (RFC 9110 section 9.2.2).
    """

    __slots__ = ("again", "expect", "head_only", "intended", "name", "payload")

    def __init__(
        self, name: str, intended: int, payload: bytes, expect: tuple[int, ...], again: bool, head_only: bool
    ) -> None:
        self.name = name
        self.intended = intended
        self.payload = payload
        self.expect = expect
        self.again = again
        self.head_only = head_only


class Connection(asyncio.Protocol):
    """Carries exchanges for a pool."""

    __slots__ = ("_answer", "_pool", "_transport", "exchange", "used")

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._answer = Answer()
        self._transport: asyncio.Transport | None = None
        self.exchange: Exchange | None = None
        self.used = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's does not say so
        self._pool.opened(self)

    def send(self, exchange: Exchange) -> None:
        """Sends a request; the pool hears of its end."""
        assert self._transport is not None
        self.exchange = exchange
        self._answer.expect(exchange.head_only)
        self._transport.write(exchange.payload)

    def data_received(self, data: bytes) -> None:
        exchange, answer = self.exchange, self._answer
        if exchange is None:
            self._abort()  # bytes that nobody asked for
            return
        try:
            if not answer.feed(data):
                return
        except Malformed:
            self.exchange = None
            self._pool.failed(exchange, "malformed answer")
            self._abort()
            return
        self.exchange, self.used = None, True
        self._pool.answered(exchange, answer.status, answer.size)
        if answer.keep_alive:
            self._pool.free(self)
        else:
            self._abort()

    def give_up(self, kind: str, waited: bool) -> None:
        """Ends the exchange and the connection."""
        exchange, self.exchange = self.exchange, None
        if exchange is not None:
            self._pool.failed(exchange, kind, waited)
        self._abort()

    def connection_lost(self, error: Exception | None) -> None:
        exchange, self.exchange = self.exchange, None
        self._pool.closed(self)
        if exchange is None:
            return
        if error is None and self._answer.ended():
            self._pool.answered(exchange, self._answer.status, self._answer.size)
        elif self.used and exchange.again and not self._answer.begun:
            self._pool.retry(exchange)
        else:
            self._pool.failed(exchange, "answer broke off" if self._answer.begun else "closed without an answer")

    def _abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()
