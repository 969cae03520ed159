"""A bounded asyncpg pool whose failures are the platform's errors."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Final, TypeAlias, TypeVar

import asyncpg
import orjson
from asyncpg.pool import PoolConnectionProxy
from prometheus_client import Counter

from kernel.errors import define

DATABASE_UNAVAILABLE = define(
    "DATABASE_UNAVAILABLE", status=503, retryable=True, hint="the database is down or overloaded; try again in a moment"
)

STATEMENTS: Final = Counter(
    "shipoff_database_statements", "Statements that this process sent to its database, those of transactions included"
)
Row: TypeAlias = asyncpg.Record
Transaction: TypeAlias = "PoolConnectionProxy[Row]"
T = TypeVar("T")

ACQUIRE_S: Final = 5.0  # a caller waits this long for a free connection, then gets DATABASE_UNAVAILABLE
STATEMENT_S: Final = 30.0  # a statement may run this long
IDLE_S: Final = 15.0  # a process that was paused inside a transaction keeps its locks this long
_LOST: Final = (
    OSError,
    asyncpg.InternalClientError,
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.InterfaceError,
    asyncpg.IdleInTransactionSessionTimeoutError,
)
_DOWN: Final = (*_LOST, asyncpg.AdminShutdownError, asyncpg.CrashShutdownError, asyncpg.TooManyConnectionsError)


class _Connection(asyncpg.Connection):
    """Resets its session only for whoever had it as one: a statement or a transaction leaves nothing behind in it, and
    the reset is a question to the server as dear as theirs.
    """

    __slots__ = ("_had_as_session",)

    def begin_session(self) -> None:
        """Whoever has it now may set, lock and listen."""
        self._had_as_session = True

    def get_reset_query(self) -> str:
        """What asyncpg's pool sends when the connection comes back."""
        had, self._had_as_session = getattr(self, "_had_as_session", True), False
        return super().get_reset_query() if had else ""


class Database:
    """One service's database. jsonb columns are Python values."""

    def __init__(self, pool: asyncpg.Pool[Row]) -> None:
        self._pool = pool

    @classmethod
    async def connect(cls, url: str, *, max_size: int = 5, wait_s: float = 20.0) -> Database:
        """Opens the pool, retrying while the server starts.

        Args:
            url: libpq style, `postgresql://user:password@host/db` or with `?host=/socket/dir`.
            max_size: connections at most.
            wait_s: how long a server that refuses is tried again.

        Raises:
            ShipoffError: DATABASE_UNAVAILABLE after `wait_s`.
        """
        give_up = asyncio.get_running_loop().time() + wait_s
        while True:
            try:
                pool = await asyncpg.create_pool(
                    url,
                    min_size=1,
                    max_size=max_size,
                    connection_class=_Connection,
                    init=_init,
                    timeout=ACQUIRE_S,
                    command_timeout=STATEMENT_S,
                    server_settings={"idle_in_transaction_session_timeout": str(round(IDLE_S * 1000))},
                )
                return cls(pool)
            except _DOWN as error:
                if asyncio.get_running_loop().time() > give_up:
                    raise DATABASE_UNAVAILABLE(f"cannot connect: {error!r}") from error
                await asyncio.sleep(0.1)

    async def fetch(self, sql: str, *args: object) -> list[Row]:
        """All rows of a query."""
        return await self._once(lambda connection: connection.fetch(sql, *args))

    async def fetchrow(self, sql: str, *args: object) -> Row | None:
        """The first row, or None."""
        return await self._once(lambda connection: connection.fetchrow(sql, *args))

    async def fetchval(self, sql: str, *args: object) -> Any:
        """The first column of the first row, or None."""
        return await self._once(lambda connection: connection.fetchval(sql, *args))

    async def execute(self, sql: str, *args: object) -> str:
        """Runs a statement; returns Postgres' command tag, e.g. "UPDATE 1"."""
        return await self._once(lambda connection: connection.execute(sql, *args))

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """A connection inside a transaction: committed at the end of the block, rolled back when it raises.

        What is set in it is set local, and its advisory locks are the transaction's: the session is not reset after it.
        """
        async with self._acquired() as connection, connection.transaction():
            yield connection

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Transaction]:
        """A connection of the pool for the length of the block, with its session, which is reset after it.

        Raises:
            ShipoffError: DATABASE_UNAVAILABLE when none is free in time, or the server went away.
        """
        async with self._acquired() as connection:
            connection.begin_session()  # type: ignore[attr-defined]  # the proxy passes on what _Connection has
            yield connection

    @asynccontextmanager
    async def _acquired(self) -> AsyncIterator[Transaction]:
        try:
            async with self._pool.acquire(timeout=ACQUIRE_S) as connection:
                yield connection
        except (*_DOWN, TimeoutError) as error:
            raise DATABASE_UNAVAILABLE(f"{error!r}") from error

    async def _once(self, work: Callable[[Transaction], Awaitable[T]]) -> T:
        async with self._acquired() as connection:
            return await work(connection)

    async def ping(self) -> None:
        """Raises DATABASE_UNAVAILABLE unless the server answers."""
        await self.fetchval("select 1")

    async def close(self) -> None:
        """Closes the pool; connections that do not end in two seconds are cut."""
        try:
            await asyncio.wait_for(self._pool.close(), 2.0)
        except TimeoutError:
            self._pool.terminate()


def _count(_: object) -> None:
    STATEMENTS.inc()


async def _init(connection: Any) -> None:
    connection.add_query_logger(_count)
    await connection.set_type_codec(
        "jsonb",
        schema="pg_catalog",
        format="binary",
        encoder=lambda value: b"\x01" + orjson.dumps(value),
        decoder=lambda raw: orjson.loads(raw[1:]),
    )
