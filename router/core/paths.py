"""The routes of a host that has path prefixes: the longest one on a segment border answers."""

from __future__ import annotations

from collections.abc import Iterator

from router.core.packed import unpack
from router.core.records import Route


class Paths:
    """The routes of one host, by prefix.

    A lookup tries the path cut at each of its segment borders, from the longest prefix there is, so its cost grows with
    the depth of the path and not with the number of prefixes.

    Args of the constructor:
        host: as in the records.
    """

    __slots__ = ("_host", "_longest", "_packed", "_routes")

    def __init__(self, host: bytes) -> None:
        self._host = host
        self._longest = 0  # bytes of the longest prefix, or of one that was there before
        self._packed: dict[bytes, bytes] = {}
        self._routes: dict[bytes, Route] = {}

    def find(self, path: bytes) -> Route | None:
        """The route of a path.

        Args:
            path: the meaning of a target (core/target.py).
        """
        cut = path if len(path) <= self._longest else path[: max(path.rfind(b"/", 0, self._longest + 1), 0)]
        while cut:
            if cut in self._packed:
                return self._route(cut)
            cut = cut[: max(cut.rfind(b"/"), 0)]
        return self._route(b"") if b"" in self._packed else None

    def put(self, path: bytes, packed: bytes) -> None:
        """Adds a route or replaces the one of this prefix."""
        self._longest = max(self._longest, len(path))
        self._packed[path] = packed
        self._routes.pop(path, None)

    def delete(self, path: bytes) -> None:
        """Removes the route of a prefix, if there is one."""
        self._routes.pop(path, None)
        self._packed.pop(path, None)

    def get(self, path: bytes) -> bytes | None:
        """The packed route of exactly this prefix."""
        return self._packed.get(path)

    def items(self) -> Iterator[tuple[bytes, bytes]]:
        """Prefixes and packed routes, as they are at the call."""
        return iter(list(self._packed.items()))

    def __len__(self) -> int:
        return len(self._packed)

    def _route(self, path: bytes) -> Route:
        route = self._routes.get(path)
        if route is None:
            route = self._routes[path] = unpack(self._host, path, self._packed[path])
        return route
