"""Stored answers in memory, bounded by bytes: S3-FIFO, which keeps what is asked for again and lets scans pass through.

New answers enter a small queue; one that is asked for there goes on to the main queue, one that is not leaves. Keys
that left are remembered for a while: when they come back they enter the main queue at once.
Source: Yang et al., "FIFO queues are all you need for cache eviction", SOSP 2023.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from router.core.caching.stored import Stored

_SMALL: Final = 0.1
_MOST_USES: Final = 3
_MOST_GHOSTS: Final = 16_384


class _Node:
    __slots__ = ("in_main", "stored", "uses", "weight")

    def __init__(self, stored: Stored, in_main: bool) -> None:
        self.stored = stored
        self.weight = stored.weight
        self.uses = 0
        self.in_main = in_main


class Memory:
    """Stored answers by key, and by the groups that they are purged by.

    Attributes:
        used: bytes held, about.
        evicted: how many have left for others.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self.used = 0
        self.evicted = 0
        self._small_used = 0
        self._nodes: dict[bytes, _Node] = {}
        self._small: OrderedDict[bytes, _Node] = OrderedDict()
        self._main: OrderedDict[bytes, _Node] = OrderedDict()
        self._ghosts: OrderedDict[int, None] = OrderedDict()
        self._groups: dict[bytes, set[bytes]] = {}

    def __len__(self) -> int:
        return len(self._nodes)

    def get(self, key: bytes) -> Stored | None:
        """The answer of a key."""
        node = self._nodes.get(key)
        if node is None:
            return None
        if node.uses < _MOST_USES:
            node.uses += 1
        return node.stored

    def put(self, stored: Stored) -> bool:
        """Keeps an answer in the place of the one of its key; False when it is too large to be kept."""
        self.remove(stored.key)
        ghost = hash(stored.key)
        node = _Node(stored, ghost in self._ghosts)
        if node.weight > self._limit:
            return False
        self._ghosts.pop(ghost, None)
        self._nodes[stored.key] = node
        (self._main if node.in_main else self._small)[stored.key] = node
        self.used += node.weight
        self._small_used += 0 if node.in_main else node.weight
        for group in stored.groups:
            self._groups.setdefault(group, set()).add(stored.key)
        while self.used > self._limit:
            self._evict()
        return stored.key in self._nodes

    def remove(self, key: bytes) -> Stored | None:
        """Forgets a key; returns what was kept under it."""
        node = self._nodes.get(key)
        if node is None:
            return None
        del (self._main if node.in_main else self._small)[key]
        self._leave(key, node)
        return node.stored

    def group(self, name: bytes) -> list[bytes]:
        """The keys of a group."""
        return list(self._groups.get(name, ()))

    def _leave(self, key: bytes, node: _Node) -> None:
        del self._nodes[key]
        self.used -= node.weight
        self._small_used -= 0 if node.in_main else node.weight
        for group in node.stored.groups:
            keys = self._groups.get(group)
            if keys is not None:
                keys.discard(key)
                if not keys:
                    del self._groups[group]

    def _evict(self) -> None:
        """Makes room by one answer, or moves one on."""
        if self._small and (self._small_used > self._limit * _SMALL or not self._main):
            key, node = self._small.popitem(last=False)
            if node.uses and len(self._nodes) > 1:
                node.uses, node.in_main = 0, True
                self._small_used -= node.weight
                self._main[key] = node
                return
            self._ghosts[hash(key)] = None
            if len(self._ghosts) > _MOST_GHOSTS:
                self._ghosts.popitem(last=False)
        else:
            key, node = self._main.popitem(last=False)
            if node.uses:
                node.uses -= 1
                self._main[key] = node
                return
        self._leave(key, node)
        self.evicted += 1
