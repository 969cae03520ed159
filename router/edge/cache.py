"""A least-recently-used cache bounded by bytes, for what never changes under its key."""

from __future__ import annotations

from collections import OrderedDict
from typing import Generic, TypeVar

V = TypeVar("V")


class ByteCache(Generic[V]):
    """Values by key; the least recently used go when the sum of their sizes passes the limit."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._used = 0
        self._values: OrderedDict[str, tuple[V, int]] = OrderedDict()

    def get(self, key: str) -> V | None:
        """The value, which thereby is the most recently used."""
        found = self._values.get(key)
        if found is None:
            return None
        self._values.move_to_end(key)
        return found[0]

    def put(self, key: str, value: V, size: int) -> None:
        """Keeps a value; one larger than the limit is not kept."""
        if size > self._limit or key in self._values:
            return
        self._values[key] = (value, size)
        self._used += size
        while self._used > self._limit:
            _, (_, dropped) = self._values.popitem(last=False)
            self._used -= dropped

    def __len__(self) -> int:
        return len(self._values)
