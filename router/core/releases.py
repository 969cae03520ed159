"""Releases and where they run: packed at rest, live from the first request on.

A release that nobody has asked for has no endpoints to count requests on, so it is 120 bytes of JSON instead of a
thousand of objects; most of a large table is that. Once live it stays so, with all that this worker knows of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from struct import Struct
from typing import Final

import orjson

from router.core.alike import share
from router.core.balance import Endpoint
from router.core.identity import Listed, Owners
from router.core.reading import Json
from router.core.records import EndpointsRecord
from router.core.retry import Budget

_VERSION: Final = Struct(">Q")
_PARTS: Final = 512  # many small dicts: none ever grows, or goes, in one long step
_STEP: Final = 128


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

    __slots__ = ("_before", "_owners", "_parts")

    def __init__(self) -> None:
        self._parts: tuple[dict[str, Release | bytes], ...] = tuple({} for _ in range(_PARTS))
        self._owners = Owners()
        self._before: Releases | None = None

    # --- reading -----------------------------------------------------------------------------------------------------

    def get(self, name: str) -> Release | None:
        """A release, live from now on."""
        part = self._parts[hash(name) % _PARTS]
        found = part.get(name)
        if type(found) is bytes:
            state, version, listed = _unpack(found)
            endpoints, budget, _ = _kept(listed, self._live(name))
            found = part[name] = Release(name, state, version, endpoints, budget)
        return found  # type: ignore[return-value]

    def version(self, name: str) -> int:
        """The version of a release's record; -1 when there is none."""
        found = self._part(name).get(name)
        if isinstance(found, bytes):
            return int(_VERSION.unpack_from(found)[0])
        return -1 if found is None else found.version

    def record(self, name: str) -> Json | None:
        """The record of a release; None when there is none."""
        found = self._part(name).get(name)
        if isinstance(found, bytes):
            return _record(name, *_unpack(found))
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

    def __contains__(self, name: str) -> bool:
        return name in self._part(name)

    def __iter__(self) -> Iterator[str]:
        """The ids; part by part, each as it is when it is reached."""
        for part in self._parts:
            yield from list(part)

    def __len__(self) -> int:
        return sum(map(len, self._parts))

    # --- changes -----------------------------------------------------------------------------------------------------

    def put(self, record: EndpointsRecord) -> tuple[list[Endpoint], set[str]]:
        """Adds a release or replaces what was there; endpoints live on as long as address and instance stay.

        Returns:
            Endpoints that are used no longer, and the other releases that have lost an address to this one.
        """
        name, addresses, before = record.id, self._addresses(record.id), self._live(record.id)
        listed, losers = self._owners.claim(name, record.version, record.endpoints)
        left: list[Endpoint] = []
        if before is None:
            self._part(name)[name] = _pack(record.state, record.version, listed)
        else:
            endpoints, budget, left = _kept(listed, before)
            self._part(name)[name] = Release(name, record.state, record.version, endpoints, budget)
        for loser in losers:
            left += self._dispossess(loser)
        stays = {one[0] for one in listed}
        self._owners.leave(name, [address for address in addresses if address not in stays])
        return left, losers

    def delete(self, name: str) -> list[Endpoint]:
        """Forgets a release; returns its endpoints, if it was live."""
        self._owners.leave(name, self._addresses(name))
        found = self._part(name).pop(name, None)
        return list(found.endpoints) if isinstance(found, Release) else []

    def _dispossess(self, name: str) -> list[Endpoint]:
        """Takes from a release what belongs to another instance now; returns the endpoints that it had in use."""
        part = self._part(name)
        found = part[name]
        if isinstance(found, bytes):
            state, version, listed = _unpack(found)
            part[name] = _pack(state, version, [one for one in listed if self._owners.owns(one[0], one[1])])
            return []
        endpoints = tuple([e for e in found.endpoints if self._owners.owns(e.address, e.instance)])
        part[name] = Release(name, found.state, found.version, endpoints, found.budget)
        return [e for e in found.endpoints if e not in endpoints]

    # --- taking the place of others ----------------------------------------------------------------------------------

    def succeed(self, before: Releases) -> Iterator[list[Endpoint]]:
        """Goes on with the live releases of a table that this one replaces, which is taken apart on the way.

        From the call on, a release that comes to life here takes its endpoints over from there; the steps of the
        result do that for those that nobody asks for.

        Returns:
            Steps of less than a millisecond; each gives the endpoints that are used no longer.
        """
        self._before = before
        return self._inherit(before)

    def _inherit(self, before: Releases) -> Iterator[list[Endpoint]]:
        for number, part in enumerate(before._parts):
            live = [old for old in part.values() if isinstance(old, Release)]
            for start in range(0, len(live), _STEP):
                yield [e for old in live[start : start + _STEP] for e in self._outlive(old)]
            share(self._parts[number], part)
            yield []
        self._before = None
        for _ in self._owners.inherit(before._owners):
            yield []

    def _outlive(self, old: Release) -> list[Endpoint]:
        """Brings a release to life that was live before; returns the endpoints that it has no longer."""
        new = self.get(old.id)
        staying = new.endpoints if new is not None else ()
        return [e for e in old.endpoints if e not in staying]

    def _live(self, name: str) -> Release | None:
        """The live release whose endpoints go on: this table's, or that of the table before."""
        found = self._part(name).get(name)
        if not isinstance(found, Release) and self._before is not None:
            found = self._before._part(name).get(name)
        return found if isinstance(found, Release) else None

    def _addresses(self, name: str) -> list[str]:
        found = self._part(name).get(name)
        if isinstance(found, bytes):
            return [one[0] for one in _unpack(found)[2]]
        return [endpoint.address for endpoint in found.endpoints] if found is not None else []

    def _part(self, name: str) -> dict[str, Release | bytes]:
        return self._parts[hash(name) % _PARTS]


def _pack(state: str, version: int, listed: Sequence[Listed]) -> bytes:
    # Joined, the bytes are a new object of their size; what orjson returns sits in the kilobyte that it wrote into.
    return _VERSION.pack(version) + orjson.dumps((state, listed))


def _unpack(packed: bytes) -> tuple[str, int, list[Listed]]:
    state, listed = orjson.loads(packed[_VERSION.size :])
    return state, _VERSION.unpack_from(packed)[0], listed


def _kept(
    listed: Sequence[Listed], before: Release | None
) -> tuple[tuple[Endpoint, ...], Budget | None, list[Endpoint]]:
    """The endpoints of a record, those that were there before among them; the budget; and those that are no longer."""
    if before is None:
        return tuple([Endpoint(*one) for one in listed]), None, []
    old = {(e.address, e.instance): e for e in before.endpoints}
    endpoints = []
    for address, instance, weight, zone in listed:
        endpoint = old.pop((address, instance), None) or Endpoint(address, instance)
        endpoint.weight, endpoint.zone, endpoint.gone = weight, zone, False
        endpoints.append(endpoint)
    return tuple(endpoints), before.budget, list(old.values())


def _record(name: str, state: str, version: int, listed: Sequence[Listed]) -> Json:
    endpoints = [{"address": a, "instance": i, "weight": w, "zone": z} for a, i, w, z in listed]
    return {"release": name, "state": state, "endpoints": endpoints, "version": version}
