"""A0: keeps a worker's table equal to the truth: snapshot, then stream (design, section 7).

The snapshot in Redis is the truth, events are hints. Whatever is odd (a gap, another epoch, a stream that lost entries)
leads to one answer: the whole snapshot is read aside and swapped in, while the old table serves. Without Redis, and
with one that has less than it had, the table stands still and nothing is pruned; a worker that starts then reads the
file.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from kernel.errors import ShipoffError
from kernel.tasks import spawn, stop
from router.bus import BLOCK_S, GONE, Bus, Entry, Poison, Position, order
from router.core.changes import ResyncNeeded, apply, record_of
from router.core.records import host_of, prefix_of
from router.core.table import Table
from router.edge.context import Edge
from router.loading import Pace, adopt, uncollected
from router.snapshot import Snapshot

log = logging.getLogger(__name__)

REPORT_S: Final = 3.0
_CHECK_S: Final = 10.0
_FIRST_PAUSE_S: Final = 0.05
_LONGEST_PAUSE_S: Final = 1.0
_BOOT_S: Final = 3.0
_MOST_LETTERS: Final = 1000  # that wait for a Redis which takes them; more are only logged


class _Behind(Exception):
    """Redis has no table, or an older one than ours; the message says which."""


class Feed:
    """Follows the `routes` stream for one worker.

    Args of the constructor:
        name: this worker's name in `routers:<id>`.
        replaces: the id of a dead worker whose report goes, or "".
    """

    def __init__(self, edge: Edge, url: str, name: str, snapshot: Snapshot | None, replaces: str = "") -> None:
        self._edge = edge
        self._bus = Bus(url, name, edge.settings.admin)
        self._snapshot = snapshot
        self._replaces = replaces
        self._cursor = b"0-0"
        self._letters: list[Poison] = []
        self._frozen = True
        self._why = ""
        self._heard_at = time.monotonic()
        self._reading = False
        self._served = asyncio.Event()
        self._settled = asyncio.Event()  # served, or told that Redis gives nothing now
        self._tasks: list[asyncio.Task[None]] = []
        edge.table_age = self._age

    # --- life --------------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Returns when a table is served: from Redis, or from the file when Redis does not give one in time."""
        self._tasks.append(spawn(self._run(), "router.feed"))
        untried = self._snapshot
        while not self._served.is_set():
            self._settled.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._settled.wait(), _BOOT_S)
            if untried is not None and not self._has_redis() and not await self._serve_file(untried):
                untried = None
        self._tasks.append(spawn(self._report_regularly(), "router.report"))

    async def stop(self) -> None:
        """Stops following and takes the report back."""
        await stop(*self._tasks)
        with contextlib.suppress(*GONE):
            await asyncio.wait_for(self._bus.take_back(), 1)
        await self._bus.close()

    async def _serve_file(self, snapshot: Snapshot) -> bool:
        """Serves the table on disk unless Redis gives one meanwhile; False when there is none that is whole."""
        table = await snapshot.load()
        if table is not None and not self._has_redis():
            log.warning("Redis gives no table: serving the last known one, version %d", table.version)
            await self._swap(table)
        return table is not None

    def _has_redis(self) -> bool:
        return self._reading or self._served.is_set()

    def _age(self) -> tuple[float, bool]:
        silent_s = time.monotonic() - self._heard_at
        return (silent_s if self._frozen or silent_s > 2 * BLOCK_S else 0.0), self._frozen

    async def _run(self) -> None:
        pause, synced = _FIRST_PAUSE_S, False
        while True:
            try:
                position = await self._bus.position(self._cursor)
                if not synced or self._differs(position):
                    synced = False
                    await self._resync(position)
                    synced = True
                pause = _FIRST_PAUSE_S
                await self._follow()
            except ResyncNeeded as why:
                log.warning("reading the whole table again: %s", why)
                synced = False
            except (_Behind, *GONE) as error:
                self._freeze(error)
                await asyncio.sleep(pause)
                pause = min(pause * 2, _LONGEST_PAUSE_S)
            except Exception:
                # Whatever Redis answered: a feed that ended would freeze the table for good, and in silence.
                log.exception("the feed goes on after a fault")
                synced = False
                await asyncio.sleep(_LONGEST_PAUSE_S)

    def _freeze(self, error: Exception) -> None:
        why = str(error) or repr(error)
        if why != self._why:
            log.warning("the table stands still at version %d: %s", self._edge.table.version, why)
        self._why = why
        self._frozen = True
        self._settled.set()

    def _heard(self) -> None:
        """Redis has said where it stands, and we are there or on the way."""
        self._frozen = False
        self._why = ""
        self._heard_at = time.monotonic()

    # --- the stream --------------------------------------------------------------------------------------------------

    async def _follow(self) -> None:
        checked = time.monotonic()
        while True:
            entries = await self._bus.events(self._cursor)
            self._heard()
            if entries:
                before = self._edge.table.version
                await self._take(entries)
                if self._edge.table.version != before:
                    await self._changed()
                if self._letters:
                    await self._bury()
            elif time.monotonic() - checked > _CHECK_S:
                if self._differs(await self._bus.position(self._cursor)):
                    raise ResyncNeeded("the snapshot has moved on without events")
                checked = time.monotonic()

    async def _take(self, entries: Sequence[Entry]) -> None:
        """Applies events, in slices of time."""
        edge, pace, poisoned = self._edge, Pace(), len(self._letters)
        for entry, raw in entries:
            self._cursor = entry
            try:
                made_at, left = apply(edge.table, raw)
                if made_at:
                    edge.metrics.events += 1
                    edge.metrics.feed_lags.observe(_seconds_since(made_at))
                if left:
                    edge.retire(left)
            except ShipoffError as error:
                edge.metrics.poisoned += 1
                self._letters.append(Poison(entry, raw, str(error)))
            if pace.due():
                await pace.rest()
        edge.changed()
        if bad := self._letters[poisoned:]:
            log.error("skipped %d events of the stream, first %s: %s", len(bad), bad[0].entry.decode(), bad[0].error)

    async def _bury(self) -> None:
        try:
            await self._bus.bury(self._letters)
        except GONE as error:
            log.warning("%d dead letters wait: %s", len(self._letters), error)
            del self._letters[:-_MOST_LETTERS]
        else:
            self._letters.clear()

    # --- the snapshot ------------------------------------------------------------------------------------------------

    async def _resync(self, position: Position) -> None:
        """Reads the whole snapshot aside and swaps it in.

        What is scanned is at least as new as the position that was asked for before, and events from there on are
        applied to it afterwards, each only to a record that is older: a record that was changed, deleted or put again
        in mid-scan ends as the last event about it says, and one that comes twice in the scan is the same or newer.
        """
        self._refuse_less(position)
        started = time.monotonic()
        self._reading = True
        try:
            table = await self._read(position)
        finally:
            self._reading = False
        if (await self._bus.position(self._cursor)).epoch != position.epoch:
            raise ResyncNeeded("the epoch changed while the snapshot was read")
        self._cursor = position.last
        self._edge.metrics.resyncs += 1
        self._heard()
        await self._swap(table)
        self._edge.metrics.resync_s = time.monotonic() - started
        await self._changed()

    def _refuse_less(self, position: Position) -> None:
        """A Redis that lost what it had is no reason to lose it too: the orchestrator writes it anew, as an epoch."""
        ours = self._edge.table
        if ours.epoch and not position.epoch:
            raise _Behind("Redis has no table; ours stays until the orchestrator has written it")
        if position.version < ours.version and position.epoch <= ours.epoch:
            where = f"{position.version} of epoch {position.epoch}"
            raise _Behind(f"Redis has an older table ({where}); ours stays until the orchestrator has written it anew")

    async def _read(self, position: Position) -> Table:
        table, pace = Table(position.epoch, position.version), Pace()
        with uncollected():
            async for fields in self._bus.records(serving=self._served.is_set()):
                for field, value in fields.items():
                    self._fill(table, field, value)
                    if pace.due():
                        await pace.rest()
        return table

    def _fill(self, table: Table, field: bytes, value: bytes) -> None:
        """Takes a record of the snapshot; in place of a poisoned one, the record that we have."""
        kind = field[:2]
        if kind not in (b"r:", b"e:"):
            return  # of a kind to come
        try:
            _ = table.put(record_of(value))
        except ShipoffError as error:
            self._edge.metrics.poisoned += 1
            log.error("skipped record %r of the snapshot: %s", field[:200], error)
            ours = self._edge.table.record(_key(field))
            if ours is not None:
                _ = table.put(ours)

    def _differs(self, position: Position) -> bool:
        """Whether Redis no longer holds what the table was built from (lost, replaced, or trimmed past us)."""
        table = self._edge.table
        if position.epoch != table.epoch or position.version < table.version:
            return True
        if order(position.last) < order(self._cursor):
            return True
        return position.version > table.version and not position.more

    # --- what follows a change ---------------------------------------------------------------------------------------

    async def _swap(self, table: Table) -> None:
        self._served.set()
        self._settled.set()
        await adopt(self._edge, table)

    async def _changed(self) -> None:
        if self._snapshot is not None:
            self._snapshot.changed()
        await self._report()

    async def _report(self) -> None:
        """Says what is served; a Redis that takes no report (a replica, perhaps) may still be one to follow."""
        try:
            await self._bus.report(self._edge.table, self._replaces)
            self._replaces = ""
        except GONE as error:
            if not self._why:
                log.warning("the version served could not be reported: %s", error)

    async def _report_regularly(self) -> None:
        while True:
            await self._report()
            await asyncio.sleep(REPORT_S)


def _key(field: bytes) -> tuple[bytes, bytes] | str:
    """What the table calls the record of a field of the snapshot."""
    name = field[2:].decode("utf-8", "replace")
    if field.startswith(b"e:"):
        return name
    host, slash, path = name.partition("/")
    return host_of(host), prefix_of(slash + path)


def _seconds_since(at: str) -> float:
    """Seconds since a time in RFC 3339 form, by this machine's clock; 0 when it is none or still to come."""
    try:
        return max(0.0, time.time() - datetime.fromisoformat(at).timestamp())
    except ValueError:
        return 0.0
