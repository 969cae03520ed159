"""What an event of the stream `routes` does to the table: one record changes, or it turns out that events are missing.

Versions grow by one per event, so an event that does not follow on the table's version tells of a loss; whoever follows
the stream then reads the whole table again. Events that come twice or late change nothing.
"""

from __future__ import annotations

from typing import Any, Final

import orjson

from kernel.errors import ShipoffError
from kernel.events import EndpointsDelete, EndpointsPut, Event, RouteDelete, RoutePut, TableEpoch, decode
from router.core.balance import Endpoint
from router.core.reading import RECORD_INVALID
from router.core.table import Table

# No honest record comes near; parsing more would keep requests waiting.
MOST_BYTES: Final = 1_048_576
RouteEvent = RoutePut | RouteDelete | EndpointsPut | EndpointsDelete | TableEpoch


class ResyncNeeded(Exception):
    """The stream and the table no longer fit together; the message says why."""


def apply(table: Table, raw: bytes) -> tuple[str, list[Endpoint]]:
    """Applies one event.

    Args:
        raw: the envelope (kernel/events.py).

    Returns:
        When the event was made (RFC 3339; "" when the table had it already), and the endpoints that have left.

    Raises:
        ShipoffError: the event is poison. The record that it should have replaced stays; if its version can be read,
            the table has moved on to it.
        ResyncNeeded: it does not follow on what the table has.
    """
    if len(raw) > MOST_BYTES:
        raise RECORD_INVALID(f"an event of {len(raw)} bytes, more than {MOST_BYTES}")
    try:
        envelope = decode(raw)
    except ShipoffError:
        _step_over(table, raw)
        raise
    event = envelope.data
    if not isinstance(event, RouteEvent):
        raise RECORD_INVALID(f"an event of another stream, {event.TYPE}")
    return (envelope.at, _change(table, event)) if _follows(table, event) else ("", [])


def record_of(value: bytes) -> object:
    """Reads a record of the snapshot.

    Raises:
        ShipoffError: RECORD_INVALID; it is not JSON, or no honest record.
    """
    if len(value) > MOST_BYTES:
        raise RECORD_INVALID(f"a record of {len(value)} bytes, more than {MOST_BYTES}")
    try:
        record: object = orjson.loads(value)
    except orjson.JSONDecodeError as error:
        raise RECORD_INVALID(f"a record is not JSON: {error}") from None
    return record


def _follows(table: Table, event: RouteEvent) -> bool:
    """Moves the table's version on; False when it has this event already."""
    if event.epoch != table.epoch:
        raise ResyncNeeded(f"epoch {event.epoch}, not {table.epoch}")
    if event.version <= table.version:
        return False  # the relay sends again what it is not sure of
    if event.version > table.version + 1 or isinstance(event, TableEpoch):
        raise ResyncNeeded(f"version {event.version} after {table.version}")
    table.version = event.version
    return True


def _change(table: Table, event: Event) -> list[Endpoint]:
    """Changes the one record of an event, unless the snapshot brought a newer one already."""
    if isinstance(event, RoutePut):
        record = {**event.record, "version": event.version}
        if table.route_version(str(record.get("host", "")), str(record.get("path", "/"))) < event.version:
            return _put(table, record, "host")
    elif isinstance(event, RouteDelete):
        if table.route_version(event.host, event.path) < event.version:
            table.delete_route(event.host, event.path)
    elif isinstance(event, EndpointsPut):
        record = {**event.record, "version": event.version}
        if table.releases.version(str(record.get("release", ""))) < event.version:
            return _put(table, record, "release")
    elif isinstance(event, EndpointsDelete) and table.releases.version(event.release) < event.version:
        return table.delete_release(event.release)
    return []


def _put(table: Table, record: dict[str, Any], field: str) -> list[Endpoint]:
    if ("host" in record) != (field == "host"):
        raise RECORD_INVALID(f"field {field!r} is missing, or it is a record of the other kind")
    return table.put(record)


def _step_over(table: Table, raw: bytes) -> None:
    """Moves on past an event that cannot be read whole (of a kind to come, perhaps) but has a place in the order."""
    try:
        data = orjson.loads(raw)["data"]
        if data["epoch"] == table.epoch and data["version"] == table.version + 1:
            table.version += 1
    except (orjson.JSONDecodeError, KeyError, TypeError, IndexError):
        return
