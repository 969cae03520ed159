"""Keys of a table that have changed while somebody writes it down, in many small sets.

One set of 100,000 keys stops the loop for 10 ms when it grows and for some more when it goes; these never do.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

Key = tuple[bytes, bytes] | str  # host and path, or a release
_PARTS: Final = 256


class Touched:
    """The keys."""

    __slots__ = ("_parts",)

    def __init__(self) -> None:
        self._parts: tuple[set[Key], ...] = tuple(set() for _ in range(_PARTS))

    def add(self, key: Key) -> None:
        """Notes a key."""
        self._parts[hash(key) % _PARTS].add(key)

    def drain(self) -> Iterator[Key]:
        """Each key once; it is forgotten when it is given."""
        for part in self._parts:
            while part:
                yield part.pop()

    def __len__(self) -> int:
        return sum(map(len, self._parts))
