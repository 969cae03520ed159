"""The route table: host and path to route, release to endpoints (design, section 7).

Values are immutable and replaced by one assignment each, so a request sees a record as it was or as it is, never half
of it, and a change costs what it changes. A resync builds a whole table aside; whoever holds the table swaps it.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import random

from router.core.balance import Endpoint
from router.core.host import canonical
from router.core.identity import Owners
from router.core.reading import Json
from router.core.records import EndpointsRecord, Route
from router.core.retry import Budget
from router.core.target import path_of

# A host whose one route covers every path is that route; otherwise its routes, longest prefix first.
Entry = Route | tuple[Route, ...]


class Release:
    """The endpoints of a release, at one version. Never changed; replaced as a whole.

    Attributes:
        budget: of its retries; the next version takes it over.
    """

    __slots__ = ("budget", "endpoints", "id", "state", "version")

    def __init__(
        self, record: EndpointsRecord | Release, endpoints: tuple[Endpoint, ...], budget: Budget | None = None
    ) -> None:
        self.budget = budget or Budget()
        self.id: str = record.id
        self.state: str = record.state
        self.version: int = record.version
        self.endpoints = endpoints

    def record(self) -> Json:
        """The record that makes an equal release."""
        listed = [
            {"address": e.address, "instance": e.instance, "weight": e.weight, "zone": e.zone} for e in self.endpoints
        ]
        return {"release": self.id, "state": self.state, "endpoints": listed, "version": self.version}


class Table:
    """All routes and releases at one version of one epoch."""

    def __init__(self, epoch: str = "", version: int = 0) -> None:
        self.epoch = epoch
        self.version = version
        self.releases: dict[str, Release] = {}
        self._owners = Owners()
        self._hosts: dict[bytes, Entry] = {}
        self._wildcards: dict[bytes, Entry] = {}

    def find(self, host: bytes, target: bytes) -> Route | None:
        """The route of a request: the exact host, else the longest wildcard; there, the longest path prefix.

        Args:
            host: lower case, as sent; a port or root dot is taken off when the host as sent is unknown.
            target: origin form.
        """
        entry = self._hosts.get(host)
        if entry is None:
            entry = self._find_host(host)
            if entry is None:
                return None
        if type(entry) is Route:
            return entry
        return _match(entry, path_of(target))  # type: ignore[arg-type]

    def _find_host(self, sent: bytes) -> Entry | None:
        host = canonical(sent)
        if host is None:
            return None
        entry = self._hosts.get(host)
        if entry is None and self._wildcards:
            dot = host.find(b".")
            while entry is None and dot >= 0:
                entry = self._wildcards.get(host[dot:])
                dot = host.find(b".", dot + 1)
        return entry

    def release_for(self, route: Route) -> Release | None:
        """The release that gets this request; drawn by weight when several serve."""
        if not route.weights:
            return self.releases.get(route.release)
        point = random() * route.weights[-1][1]
        for release, bound in route.weights:
            if point < bound:
                return self.releases.get(release)
        return None

    def put_route(self, route: Route) -> None:
        """Adds a route or replaces the one of the same host and path."""
        hosts, key = self._home(route.host)
        others = [r for r in _routes(hosts.get(key)) if r.path != route.path]
        if not others and not route.path:
            hosts[key] = route
        else:
            hosts[key] = tuple(sorted([*others, route], key=lambda r: -len(r.path)))

    def delete_route(self, host: str, path: str) -> None:
        """Removes the route of a host and path, if there is one."""
        hosts, key = self._home(host.lower().encode())
        prefix = path.encode().rstrip(b"/")
        left = tuple(r for r in _routes(hosts.get(key)) if r.path != prefix)
        if not left:
            hosts.pop(key, None)
        else:
            hosts[key] = left[0] if len(left) == 1 and not left[0].path else left

    def route(self, host: str, path: str) -> Route | None:
        """The route record of exactly this host and path."""
        hosts, key = self._home(host.lower().encode())
        prefix = path.encode().rstrip(b"/")
        return next((r for r in _routes(hosts.get(key)) if r.path == prefix), None)

    def put_release(self, record: EndpointsRecord, known: Table | None = None) -> list[Endpoint]:
        """Adds or replaces the endpoints of a release.

        Args:
            known: the table whose endpoints go on living in this one (a resync); by default this one.

        Returns:
            Endpoints that have left the table.
        """
        mine = self.releases.get(record.id)
        before = mine if known is None else known.releases.get(record.id)
        old = {(e.address, e.instance): e for e in before.endpoints} if before else {}
        listed, losers = self._owners.claim(record.id, record.version, record.endpoints)
        endpoints = []
        for address, instance, weight, zone in listed:
            endpoint = old.pop((address, instance), None) or Endpoint(address, instance)
            endpoint.weight, endpoint.zone, endpoint.gone = weight, zone, False
            endpoints.append(endpoint)
        self.releases[record.id] = Release(record, tuple(endpoints), before.budget if before else None)
        lost = [endpoint for loser in losers for endpoint in self._dispossess(loser)]
        stays = {address for address, _, _, _ in listed}
        self._owners.leave(record.id, [e.address for e in (mine.endpoints if mine else ()) if e.address not in stays])
        return _leave([*old.values(), *lost]) if known is None else []  # `succeed` tells

    def _dispossess(self, name: str) -> list[Endpoint]:
        """Takes from a release what belongs to another instance now."""
        release = self.releases[name]
        keeps = tuple(e for e in release.endpoints if self._owners.owns(e.address, e.instance))
        self.releases[name] = Release(release, keeps, release.budget)
        return [e for e in release.endpoints if e not in keeps]

    def delete_release(self, release: str) -> list[Endpoint]:
        """Forgets a release; returns the endpoints that have left the table."""
        before = self.releases.pop(release, None)
        if before is None:
            return []
        self._owners.leave(release, [endpoint.address for endpoint in before.endpoints])
        return _leave(list(before.endpoints))

    def succeed(self, old: Table) -> list[Endpoint]:
        """Tells, when this table takes the place of another, which endpoints have left with it."""
        staying = {id(e) for release in self.releases.values() for e in release.endpoints}
        return _leave([e for r in old.releases.values() for e in r.endpoints if id(e) not in staying])

    def routes(self) -> Iterator[Route]:
        """All routes, in no order."""
        for hosts in (self._hosts, self._wildcards):
            for entry in hosts.values():
                yield from _routes(entry)

    def __len__(self) -> int:
        return len(self._hosts) + len(self._wildcards)

    def _home(self, host: bytes) -> tuple[dict[bytes, Entry], bytes]:
        return (self._wildcards, host[1:]) if host.startswith(b"*.") else (self._hosts, host)


def _routes(entry: Entry | None) -> tuple[Route, ...]:
    if entry is None:
        return ()
    return (entry,) if isinstance(entry, Route) else entry


def _match(routes: tuple[Route, ...], path: bytes) -> Route | None:
    for route in routes:
        prefix = route.path
        if not prefix or path == prefix or path.startswith(prefix + b"/"):
            return route
    return None


def _leave(endpoints: list[Endpoint]) -> list[Endpoint]:
    for endpoint in endpoints:
        endpoint.gone = True
    return endpoints
