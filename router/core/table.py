"""The route table: host and path to route, release to endpoints (design, section 7).

Values are immutable and replaced by one assignment each, so a request sees a record as it was or as it is, never half
of it, and a change costs what it changes. A resync builds a whole table aside; whoever holds the table swaps it, and
takes the old one apart in small steps.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import random

from router.core.balance import Endpoint
from router.core.host import canonical
from router.core.hosts import PARTS, Entry, Hosts
from router.core.packed import pack, pack_plain, unpack, unpack_record, version_of
from router.core.reading import RECORD_INVALID, Json
from router.core.records import EndpointsRecord, Route, host_of, prefix_of
from router.core.releases import Release, Releases
from router.core.target import path_of
from router.core.touched import Touched


class Table:
    """All routes and releases at one version of one epoch.

    Attributes:
        touched: while it is there, every change leaves there whose record it changed: a (host, path) or a release.
    """

    def __init__(self, epoch: str = "", version: int = 0) -> None:
        self.epoch = epoch
        self.version = version
        self.releases = Releases()
        self.touched: Touched | None = None
        self._exact = Hosts()
        self._wildcards = Hosts(b"*")
        self._warm = self._exact.warm

    def find(self, host: bytes, target: bytes) -> Route | None:
        """The route of a request: the exact host's, else the longest wildcard's; there, of the longest path prefix.

        A host whose prefixes leave the path out is as if it were not there: the wildcards are asked.

        Args:
            host: lower case, as sent; a port or root dot is taken off when the host as sent is unknown.
            target: origin form.
        """
        entry = self._warm.get(host)
        if type(entry) is Route:
            return entry
        return self._find(host, entry, target)

    def _find(self, sent: bytes, entry: Entry | None, target: bytes) -> Route | None:
        host: bytes | None = sent
        if entry is None:
            entry = self._exact.find(sent)  # as sent is how the table knows it, most often
            if entry is None:
                host = canonical(sent)
                if host is None:
                    return None
                if host != sent:
                    entry = self._exact.find(host)
            if type(entry) is Route:
                return entry
        path = path_of(target)
        route = entry.find(path) if entry is not None else None  # type: ignore[union-attr]
        if route is None and self._wildcards:
            route = self._find_wildcard(host, path)  # type: ignore[arg-type]
        return route

    def _find_wildcard(self, host: bytes, path: bytes) -> Route | None:
        dot = host.find(b".")
        while True:
            entry = self._wildcards.find(host[dot:] if dot >= 0 else b"")
            route = entry if entry is None or type(entry) is Route else entry.find(path)  # type: ignore[union-attr]
            if route is not None or dot < 0:
                return route
            dot = host.find(b".", dot + 1)

    def release_for(self, route: Route) -> Release | None:
        """The release that gets this request; drawn by weight when several serve."""
        if not route.weights:
            return self.releases.get(route.release)
        point = random() * route.weights[-1][1]
        for release, bound in route.weights:
            if point < bound:
                return self.releases.get(release)
        return None

    # --- changes -----------------------------------------------------------------------------------------------------

    def put(self, record: object) -> list[Endpoint]:
        """Adds what a record says, or replaces what it said before; returns endpoints that have left the table.

        Raises:
            ShipoffError: RECORD_INVALID, naming the field; the table stays as it was.
        """
        if not isinstance(record, dict):
            raise RECORD_INVALID("a record is not an object")
        if "host" not in record:
            return self.put_release(EndpointsRecord(record))
        if (plain := pack_plain(record)) is not None:
            self._exact.put(plain[0], b"", plain[1])
            if self.touched is not None:
                self.touched.add((plain[0], b""))
        else:
            self.put_route(Route(record))
        return []

    def put_route(self, route: Route) -> None:
        """Adds a route or replaces the one of the same host and path."""
        hosts, key = self._home(route.host)
        hosts.put(key, route.path, pack(route))
        if self.touched is not None:
            self.touched.add((route.host, route.path))

    def delete_route(self, host: str, path: str) -> None:
        """Removes the route of a host and path, if there is one."""
        name, prefix = host_of(host), prefix_of(path)
        hosts, key = self._home(name)
        hosts.delete(key, prefix)
        if self.touched is not None:
            self.touched.add((name, prefix))

    def put_release(self, record: EndpointsRecord) -> list[Endpoint]:
        """Adds or replaces the endpoints of a release; returns endpoints that have left the table."""
        left, losers = self.releases.put(record)
        if self.touched is not None:
            for name in (record.id, *losers):
                self.touched.add(name)
        return _leave(left)

    def delete_release(self, release: str) -> list[Endpoint]:
        """Forgets a release; returns the endpoints that have left the table."""
        if self.touched is not None:
            self.touched.add(release)
        return _leave(self.releases.delete(release))

    # --- the whole ---------------------------------------------------------------------------------------------------

    def succeed(self, old: Table) -> Iterator[list[Endpoint]]:
        """Takes the place of another table, which is taken apart on the way; call it just before the swap.

        Returns:
            Steps of less than a millisecond; each gives endpoints that have left with the old table.
        """
        return self._dismantle(old, self.releases.succeed(old.releases))

    def _dismantle(self, old: Table, releases: Iterator[list[Endpoint]]) -> Iterator[list[Endpoint]]:
        for left in releases:
            yield _leave(left)
        for number in range(PARTS):
            self._exact.inherit(old._exact, number)
            self._wildcards.inherit(old._wildcards, number)
            yield []

    def route(self, host: str, path: str) -> Route | None:
        """The route of exactly this host and path."""
        name, prefix = host_of(host), prefix_of(path)
        hosts, key = self._home(name)
        packed = hosts.get(key, prefix)
        return None if packed is None else unpack(name, prefix, packed)

    def route_version(self, host: str, path: str) -> int:
        """The version of that route's record; -1 when there is none."""
        hosts, key = self._home(host_of(host))
        packed = hosts.get(key, prefix_of(path))
        return -1 if packed is None else version_of(packed)

    def routes(self) -> Iterator[Route]:
        """All routes, in no order."""
        for number in range(PARTS):
            for hosts in (self._exact, self._wildcards):
                for host, path, packed in hosts.part(number):
                    yield unpack(host, path, packed)

    def part(self, number: int) -> Iterator[Json]:
        """The records of one of the PARTS parts of the routes, as they are at the call."""
        for hosts in (self._exact, self._wildcards):
            for host, path, packed in hosts.part(number):
                yield unpack_record(host, path, packed)

    def record(self, key: tuple[bytes, bytes] | str) -> Json | None:
        """The record of what `touched` names; None when it is gone."""
        if isinstance(key, str):
            return self.releases.record(key)
        hosts, name = self._home(key[0])
        packed = hosts.get(name, key[1])
        return None if packed is None else unpack_record(*key, packed)

    def __len__(self) -> int:
        return len(self._exact) + len(self._wildcards)

    def _home(self, host: bytes) -> tuple[Hosts, bytes]:
        return (self._wildcards, host[1:]) if host.startswith(b"*") else (self._exact, host)


def _leave(endpoints: list[Endpoint]) -> list[Endpoint]:
    for endpoint in endpoints:
        endpoint.gone = True
    return endpoints
