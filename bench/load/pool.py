"""The connections of one process, and the arrivals that wait for one.

Both are bounded. What does not fit is counted as an error of its own kind: an arrival that is silently not sent would
be the very thing that an open loop exists to show.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections import deque
from typing import Final

from bench.load.connection import Connection, Exchange
from bench.load.recorder import Recorder
from bench.load.target import Target
from kernel.tasks import spawn

_DIAL_PAUSE_S: Final = 0.01
_REFUSALS: Final = (
    (ConnectionRefusedError, "connection refused"),
    (ConnectionResetError, "connection reset while dialing"),
    (TimeoutError, "connection timeout"),
    (ssl.SSLCertVerificationError, "certificate not trusted"),
)


class Pool:
    """HTTP connections to the target.

    Args of the constructor:
        most: connections.
        waiting: exchanges that may wait for a connection.
        timeout_ns: from the intended start.
    """

    def __init__(self, target: Target, recorder: Recorder, most: int, waiting: int, timeout_ns: int) -> None:
        self._target = target
        self._recorder = recorder
        self._most = most
        self._most_waiting = waiting
        self._timeout_ns = timeout_ns
        self._tls: ssl.SSLContext | None = target.context()
        self._all: set[Connection] = set()
        self._idle: list[Connection] = []
        self._waiting: deque[Exchange] = deque()
        self._dialing = 0
        self._tasks: set[asyncio.Task[None]] = set()

    # --- what the schedule calls -------------------------------------------------------------------------------------

    def submit(self, exchange: Exchange) -> None:
        """Sends on an idle connection, or has it wait for one."""
        if self._idle:
            self._idle.pop().send(exchange)
        elif len(self._waiting) >= self._most_waiting:
            self.failed(exchange, "too many waiting in the client")
        else:
            self._waiting.append(exchange)
            self._dial()

    def sweep(self) -> None:
        """Ends what has passed its deadline."""
        late = time.monotonic_ns() - self._timeout_ns
        for one in [one for one in self._all if one.exchange is not None and one.exchange.intended < late]:
            one.give_up("timeout", waited=True)
        while self._waiting and self._waiting[0].intended < late:
            self.failed(self._waiting.popleft(), "timeout", waited=True)

    def busy(self) -> int:
        """Exchanges that are not over."""
        return len(self._waiting) + sum(one.exchange is not None for one in self._all)

    def close(self) -> None:
        """Ends everything; what is still on its way counts as unfinished."""
        while self._waiting:
            self.failed(self._waiting.popleft(), "unfinished", waited=True)
        for one in list(self._all):
            one.give_up("unfinished", waited=True)

    # --- what connections call ---------------------------------------------------------------------------------------

    def opened(self, connection: Connection) -> None:
        """A connection is there."""
        self._recorder.tally.connections += 1
        self._all.add(connection)
        self.free(connection)

    def free(self, connection: Connection) -> None:
        """A connection can carry the next exchange."""
        if self._waiting:
            connection.send(self._waiting.popleft())
        else:
            self._idle.append(connection)

    def closed(self, connection: Connection) -> None:
        """A connection is gone."""
        self._all.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)
        if self._waiting:
            self._dial()

    def answered(self, exchange: Exchange, status: int, size: int) -> None:
        """A whole answer came."""
        if status in exchange.expect:
            self._recorder.good(exchange.name, exchange.intended, size)
        else:
            self._recorder.failed(exchange.name, exchange.intended, f"status {status}")

    def failed(self, exchange: Exchange, kind: str, waited: bool = False) -> None:
        """No good answer will come."""
        self._recorder.failed(exchange.name, exchange.intended, kind, waited)

    def retry(self, exchange: Exchange) -> None:
        """Sends once more what an idle connection's end has cost."""
        exchange.again = False
        self._recorder.tally.retries += 1
        self.submit(exchange)

    # --- dialing -----------------------------------------------------------------------------------------------------

    def _dial(self) -> None:
        if len(self._all) + self._dialing < self._most and self._dialing < len(self._waiting):
            self._dialing += 1
            task = spawn(self._connect(), "load.dial")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _connect(self) -> None:
        try:
            await asyncio.wait_for(self._open(), self._timeout_ns / 1e9)
        except (OSError, TimeoutError) as error:
            self._refused(error)
            await asyncio.sleep(_DIAL_PAUSE_S)
        finally:
            self._dialing -= 1
        if self._waiting:
            self._dial()

    async def _open(self) -> None:
        await asyncio.get_running_loop().create_connection(
            lambda: Connection(self),
            self._target.address,
            self._target.port,
            ssl=self._tls,
            server_hostname=self._target.name if self._tls else None,
        )

    def _refused(self, error: Exception) -> None:
        """One arrival pays for a connection that could not be made; the others try on."""
        if self._waiting:
            self.failed(self._waiting.popleft(), refusal(error))


def refusal(error: Exception) -> str:
    """The kind of error that a failed connect counts as."""
    for class_, kind in _REFUSALS:
        if isinstance(error, class_):
            return kind
    return f"cannot connect: {type(error).__name__}"
