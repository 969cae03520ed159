"""Releases and where they run: packed at rest, live from the first request on.

A release that nobody has asked for has no endpoints to count requests on, so it is 120 bytes of JSON instead of a
thousand of objects; most of a large table is that. Once live it stays so, with all that this worker knows of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import orjson

from router.core.balance import Endpoint
from router.core.identity import Listed, Owners
from router.core.reading import Json
from router.core.records import EndpointsRecord
from router.core.retry import Budget


class Release:
    """The endpoints of a release, at one version. Never changed; replaced as a whole.

    Attributes:
        budget: of its retries; the next version takes it over.
    """

    __slots__ = ("budget", "endpoints", "id", "state", "version")

    def __init__(
        self, name: str, state: str, version: int, endpoints: tuple[Endpoint, ...], budget: Budget | None = None
    ) -> None:
        self.budget = budget or Budget()
        self.id = name
        self.state = state
        self.version = version
        self.endpoints = endpoints

    def record(self) -> Json:
        """The record that makes an equal release."""
        listed = [(e.address, e.instance, e.weight, e.zone) for e in self.endpoints]
        return _record(self.id, self.state, self.version, listed)


class Releases:
    """The releases of a table, by id."""

    __slots__ = ("_found", "_owners")

    def __init__(self) -> None:
        self._found: dict[str, Release | bytes] = {}
        self._owners = Owners()

    def get(self, name: str) -> Release | None:
        """A release, live from now on."""
        found = self._found.get(name)
        if type(found) is bytes:
            state, version, listed = orjson.loads(found)
            found = self._found[name] = Release(name, state, version, tuple([Endpoint(*one) for one in listed]))
        return found  # type: ignore[return-value]

    def live(self, name: str) -> Release | None:
        """A release if it is live."""
        found = self._found.get(name)
        return found if isinstance(found, Release) else None

    def put(self, record: EndpointsRecord, known: Releases) -> tuple[list[Endpoint], set[str]]:
        """Adds a release or replaces what was there.

        Args:
            known: whose endpoints go on living here, as long as address and instance stay.

        Returns:
            Endpoints that are used no longer, and the other releases that have lost an address to this one.
        """
        name, addresses, before = record.id, self._addresses(record.id), known.live(record.id)
        listed, losers = self._owners.claim(name, record.version, record.endpoints)
        left: list[Endpoint] = []
        if before is None:
            self._found[name] = orjson.dumps((record.state, record.version, listed))
        else:
            endpoints, left = _kept(listed, before)
            self._found[name] = Release(name, record.state, record.version, endpoints, before.budget)
        for loser in losers:
            left += self._dispossess(loser)
        self._owners.leave(name, [address for address in addresses if address not in {one[0] for one in listed}])
        return left, losers

    def delete(self, name: str) -> list[Endpoint]:
        """Forgets a release; returns its endpoints, if it was live."""
        self._owners.leave(name, self._addresses(name))
        found = self._found.pop(name, None)
        return list(found.endpoints) if isinstance(found, Release) else []

    def inherit(self, before: Release) -> list[Endpoint]:
        """Goes on with the endpoints of a table that this one has replaced; returns those that are used no longer.

        Most have been carried over by `put`; a release that came to life while this table was built was not.
        """
        found = self._found.get(before.id)
        if isinstance(found, bytes):
            state, version, listed = orjson.loads(found)
            endpoints, left = _kept(listed, before)
            self._found[before.id] = Release(before.id, state, version, endpoints, before.budget)
            return left
        staying = found.endpoints if found is not None else ()
        return [e for e in before.endpoints if e not in staying]

    def take(self, most: int) -> list[Release]:
        """Forgets up to so many releases of a table that is no longer used; returns the live ones among them."""
        taken = [self._found.popitem()[1] for _ in range(min(most, len(self._found)))]
        self._owners.forget(most)
        return [one for one in taken if isinstance(one, Release)]

    def version(self, name: str) -> int:
        """The version of a release's record; -1 when there is none."""
        found = self._found.get(name)
        if isinstance(found, bytes):
            return int(orjson.loads(found)[1])
        return -1 if found is None else found.version

    def record(self, name: str) -> Json | None:
        """The record of a release; None when there is none."""
        found = self._found.get(name)
        if isinstance(found, bytes):
            return _record(name, *orjson.loads(found))
        return None if found is None else found.record()

    def values(self) -> Iterator[Release]:
        """All releases, live from now on."""
        for name in self:
            yield self[name]

    def __getitem__(self, name: str) -> Release:
        found = self.get(name)
        if found is None:
            raise KeyError(name)
        return found

    def __contains__(self, name: object) -> bool:
        return name in self._found

    def __iter__(self) -> Iterator[str]:
        """The ids, as they are at the call."""
        return iter(list(self._found))

    def __len__(self) -> int:
        return len(self._found)

    def _addresses(self, name: str) -> list[str]:
        found = self._found.get(name)
        if isinstance(found, bytes):
            return [one[0] for one in orjson.loads(found)[2]]
        return [endpoint.address for endpoint in found.endpoints] if found is not None else []

    def _dispossess(self, name: str) -> list[Endpoint]:
        """Takes from a release what belongs to another instance now; returns the endpoints that it had in use."""
        found = self._found[name]
        if isinstance(found, bytes):
            state, version, listed = orjson.loads(found)
            keeps = [one for one in listed if self._owners.owns(one[0], one[1])]
            self._found[name] = orjson.dumps((state, version, keeps))
            return []
        endpoints = tuple([e for e in found.endpoints if self._owners.owns(e.address, e.instance)])
        self._found[name] = Release(name, found.state, found.version, endpoints, found.budget)
        return [e for e in found.endpoints if e not in endpoints]


def _kept(listed: Sequence[Listed], before: Release) -> tuple[tuple[Endpoint, ...], list[Endpoint]]:
    """The endpoints of a record, those that were there before among them; and those that are no longer."""
    old = {(e.address, e.instance): e for e in before.endpoints}
    endpoints = []
    for address, instance, weight, zone in listed:
        endpoint = old.pop((address, instance), None) or Endpoint(address, instance)
        endpoint.weight, endpoint.zone, endpoint.gone = weight, zone, False
        endpoints.append(endpoint)
    return tuple(endpoints), list(old.values())


def _record(name: str, state: str, version: int, listed: Sequence[Listed]) -> Json:
    endpoints = [{"address": a, "instance": i, "weight": w, "zone": z} for a, i, w, z in listed]
    return {"release": name, "state": state, "endpoints": endpoints, "version": version}
