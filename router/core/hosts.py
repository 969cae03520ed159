"""Hosts and their routes: packed at rest, unpacked while they are asked for.

The packed routes lie in many small dicts instead of one, so that nothing ever grows, is copied or is freed in one long
step: at a million hosts a single dict stops the worker for 60 ms when it grows, and for 40 ms when it goes.

A route stays unpacked from the second time on that it is asked for, unless very many others are asked for in between: a
crawler that goes through all hosts once neither pays for keeping them nor drives out those that are busy.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from typing import Final

from router.core.alike import share
from router.core.packed import unpack
from router.core.paths import Paths
from router.core.records import Route

# A host whose one route covers every path is that route; all others have their routes by prefix.
Entry = Route | Paths
PARTS: Final = 512
_MASK: Final = PARTS - 1
_WARM: Final = 65_536


class Hosts:
    """The routes of many hosts.

    Attributes:
        warm: the routes that were asked for lately, by host; read it first, it is the fast way.

    Args of the constructor:
        prefix: what stands in the records before the key of a host; b"*" for wildcards, whose keys are suffixes.
        most_warm: routes kept unpacked, about 400 bytes each; the one unpacked longest ago goes first.
    """

    __slots__ = ("_asked", "_at", "_count", "_parts", "_prefix", "_ring", "warm")

    def __init__(self, prefix: bytes = b"", most_warm: int = _WARM) -> None:
        self.warm: dict[bytes, Entry] = {}
        self._prefix = prefix
        self._parts: tuple[dict[bytes, bytes | Paths], ...] = tuple({} for _ in range(PARTS))
        self._asked = array("q", bytes(8 * most_warm))  # hashes of keys that were asked for once
        self._ring: list[bytes | None] = [None] * most_warm
        self._at = 0
        self._count = 0

    def find(self, key: bytes) -> Entry | None:
        """What answers for a host."""
        entry = self.warm.get(key)
        if entry is not None:
            return entry
        of = hash(key)
        packed = self._parts[of & _MASK].get(key)
        if packed is None:
            return None
        entry = unpack(self._prefix + key, b"", packed) if type(packed) is bytes else packed  # type: ignore[assignment]
        slot = of % len(self._ring)
        if self._asked[slot] == of:
            self._warm(key, entry)  # type: ignore[arg-type]
        else:
            self._asked[slot] = of
        return entry

    def put(self, key: bytes, path: bytes, packed: bytes) -> None:
        """Adds a route or replaces the one of the same host and path."""
        part = self._parts[hash(key) & _MASK]
        before = part.get(key)
        if isinstance(before, Paths):
            before.put(path, packed)
            return
        self._count += before is None
        if path:
            paths = Paths(self._prefix + key)
            if before is not None:
                paths.put(b"", before)
            paths.put(path, packed)
            part[key] = paths
        else:
            part[key] = packed
        self.warm.pop(key, None)

    def delete(self, key: bytes, path: bytes) -> None:
        """Removes a route, if there is one."""
        part = self._parts[hash(key) & _MASK]
        left = part.get(key)
        if isinstance(left, Paths):
            left.delete(path)
            root = left.get(b"")
            if len(left) > (root is not None):
                return  # other prefixes
            left = root
        elif not path:
            left = None
        if left is not None:
            part[key] = left
        elif part.pop(key, None) is not None:
            self._count -= 1
        self.warm.pop(key, None)

    def get(self, key: bytes, path: bytes) -> bytes | None:
        """The packed route of exactly this host and path."""
        found = self._parts[hash(key) & _MASK].get(key)
        if isinstance(found, Paths):
            return found.get(path)
        return None if path else found

    def part(self, number: int) -> Iterator[tuple[bytes, bytes, bytes]]:
        """Host as in the record, path and packed route of one of the PARTS parts, as they are at the call."""
        for key, found in list(self._parts[number].items()):
            host = self._prefix + key
            if isinstance(found, Paths):
                for path, packed in found.items():
                    yield host, path, packed
            else:
                yield host, b"", found

    def inherit(self, before: Hosts, number: int) -> None:
        """Takes over what is equal in one part of a table that this one replaces; the rest of that part is forgotten.

        As large a part goes of what was warm there.
        """
        share(self._parts[number], before._parts[number])
        for _ in range(min(len(before.warm), len(before._ring) // PARTS + 1)):
            _ = before.warm.popitem()

    def __len__(self) -> int:
        return self._count

    def _warm(self, key: bytes, entry: Entry) -> None:
        oldest = self._ring[self._at]
        if oldest is not None:
            self.warm.pop(oldest, None)
        self._ring[self._at] = key
        self._at = (self._at + 1) % len(self._ring)
        self.warm[key] = entry
