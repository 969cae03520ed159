"""B7: the route table's truth, and its changes as events.

Every change takes the next version while it holds the table's row lock, so versions grow by one per event in commit
order. The event leaves through the outbox together with the commands that keep Redis' snapshot (`routes:table`,
`routes:version`) equal to the stream. Nothing else writes the table.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import orjson

from kernel import ids
from kernel.database import Database, load_queries
from kernel.database.pool import Transaction
from kernel.events import EndpointsDelete, EndpointsPut, Envelope, Event, RouteDelete, RoutePut, TableEpoch
from kernel.streams import publish

SQL: Final = load_queries("orchestrator")
TABLE: Final = "routes:table"
NEXT_TABLE: Final = "routes:table:next"
EPOCH: Final = "routes:epoch"
VERSION: Final = "routes:version"
ORDER_KEY: Final = "routes"  # one key: the changes of the table are totally ordered
# A copy that lost changes must not look whole because of the next one: it stays behind, and snapshot.py writes it anew.
STEP: Final = "if (redis.call('GET', KEYS[1]) or '0') == ARGV[1] then redis.call('SET', KEYS[1], ARGV[2]) end"
Json = dict[str, Any]


class RouteTable:
    """Changes the table inside the caller's transaction."""

    async def put_route(self, tx: Transaction, record: Json) -> int:
        """Adds or replaces the route of record["host"] and record["path"].

        Args:
            tx: commits the change and its event together.
            record: as in ARCHITECTURE.md, without its version.

        Returns:
            The table's version with this change.
        """
        epoch, version = await self._next(tx)
        record = {**record, "version": version}
        await tx.execute(SQL["put_route"], record["host"], record["path"], record["project"], record, version)
        field = route_field(record["host"], record["path"])
        await self._tell(tx, RoutePut(epoch, version, record), ["HSET", TABLE, field, _text(record)])
        return version

    async def delete_route(self, tx: Transaction, host: str, path: str) -> int | None:
        """Removes a route; None when there was none."""
        if await tx.fetchval(SQL["delete_route"], host, path) is None:
            return None
        epoch, version = await self._next(tx)
        await self._tell(tx, RouteDelete(epoch, version, host, path), ["HDEL", TABLE, route_field(host, path)])
        return version

    async def put_endpoints(self, tx: Transaction, release_id: str, endpoints: Sequence[Json], state: str) -> int:
        """Replaces the endpoints of a release.

        Args:
            tx: commits the change and its event together.
            release_id: whose.
            endpoints: [{"address", "instance", "weight", "zone"}].
            state: running, asleep or waking.

        Returns:
            The table's version with this change.
        """
        epoch, version = await self._next(tx)
        record = {"release": release_id, "state": state, "endpoints": list(endpoints), "version": version}
        await tx.execute(SQL["put_endpoints"], release_id, record, version)
        command = ["HSET", TABLE, endpoints_field(release_id), _text(record)]
        await self._tell(tx, EndpointsPut(epoch, version, record), command)
        return version

    async def delete_endpoints(self, tx: Transaction, release_id: str) -> int | None:
        """Forgets a release's endpoints; None when there were none."""
        if await tx.fetchval(SQL["delete_endpoints"], release_id) is None:
            return None
        epoch, version = await self._next(tx)
        command = ["HDEL", TABLE, endpoints_field(release_id)]
        await self._tell(tx, EndpointsDelete(epoch, version, release_id), command)
        return version

    async def begin_epoch(self, tx: Transaction, *, filled: bool) -> None:
        """Starts a new epoch whose snapshot was prepared under NEXT_TABLE while this transaction holds the table."""
        row = await tx.fetchrow(SQL["lock_table"])
        assert row is not None  # noqa: S101 - the migration inserts the one row
        epoch, version = ids.new("epo"), int(row["version"]) + 1
        await tx.execute(SQL["set_table"], epoch, version)
        swap = [["RENAME", NEXT_TABLE, TABLE]] if filled else []
        beside = [["DEL", TABLE], *swap, ["SET", EPOCH, epoch], ["SET", VERSION, str(version)]]
        await publish(tx, Envelope(TableEpoch(epoch, version), key=ORDER_KEY), beside=beside)

    async def _next(self, tx: Transaction) -> tuple[str, int]:
        row = await tx.fetchrow(SQL["lock_table"])
        assert row is not None  # noqa: S101 - the migration inserts the one row
        epoch, version = str(row["epoch"]), int(row["version"]) + 1
        await tx.execute(SQL["set_table"], epoch, version)
        return epoch, version

    async def _tell(self, tx: Transaction, event: Event, command: list[str]) -> None:
        version: int = event.version  # type: ignore[attr-defined]  # every event of this stream has one
        step = ["EVAL", STEP, "1", VERSION, str(version - 1), str(version)]
        await publish(tx, Envelope(event, key=ORDER_KEY), beside=[command, step])


async def current(database: Database) -> tuple[str, int]:
    """The table's epoch and version."""
    row = await database.fetchrow(SQL["get_table"])
    assert row is not None  # noqa: S101 - the migration inserts the one row
    return str(row["epoch"]), int(row["version"])


def route_field(host: str, path: str) -> str:
    """Where the snapshot keeps a route."""
    return f"r:{host}{path}"


def endpoints_field(release_id: str) -> str:
    """Where the snapshot keeps a release's endpoints."""
    return f"e:{release_id}"


def _text(record: Json) -> str:
    return orjson.dumps(record).decode()
