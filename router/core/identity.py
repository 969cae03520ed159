"""Whose an address is: that of the instance in the newest record that names it, and nobody else's.

An address (a port, a socket's path) is used again some day, and events of two releases may come in any order. A record
that is older than the one which gave the address to another instance speaks of the past: it does not use the address
any more, so no request of its tenant can reach the new one there. Records that name one instance may share its address.

The version of a record decides; between equal ones (a file without versions) the one that was read last does.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from router.core.alike import share

Listed = tuple[str, str, int, str]
_PARTS: Final = 512  # many small dicts: none ever grows in one long step
_NOBODY: Final[tuple[str, int, tuple[str, ...]]] = ("", -1, ())


class Owners:
    """The owner of each address of a table: instance, version of the record that says so, releases that use it."""

    __slots__ = ("_parts",)

    def __init__(self) -> None:
        self._parts: tuple[dict[str, tuple[str, int, tuple[str, ...]]], ...] = tuple({} for _ in range(_PARTS))

    def claim(self, release: str, version: int, listed: Sequence[Listed]) -> tuple[list[Listed], set[str]]:
        """A release's record has come.

        Args:
            listed: (address, instance, weight, zone) each, as in the record.

        Returns:
            Those that it may use, and the other releases that have lost one of theirs to it.
        """
        losers: set[str] = set()
        for address, instance, _, _ in listed:
            part = self._part(address)
            owner, since, users = part.get(address, _NOBODY)
            if owner == instance:
                users = users if release in users else (*users, release)
                part[address] = (instance, max(since, version), users)
            elif since <= version:
                losers.update(users)
                part[address] = (instance, version, (release,))
        return [item for item in listed if self.owns(item[0], item[1])], losers - {release}

    def owns(self, address: str, instance: str) -> bool:
        """Whether an address is that of an instance."""
        return self._part(address).get(address, _NOBODY)[0] == instance

    def leave(self, release: str, addresses: Iterable[str]) -> None:
        """A release uses addresses no longer; what nobody uses is forgotten."""
        for address in addresses:
            part = self._part(address)
            owner, since, users = part.get(address, _NOBODY)
            if release not in users:
                continue
            if len(users) == 1:
                del part[address]
            else:
                part[address] = (owner, since, tuple(name for name in users if name != release))

    def inherit(self, before: Owners) -> Iterator[None]:
        """Takes over what is equal in those of a table that this one replaces, part by part; forgets the rest."""
        for number, part in enumerate(before._parts):
            share(self._parts[number], part)
            yield

    def __len__(self) -> int:
        return sum(map(len, self._parts))

    def _part(self, address: str) -> dict[str, tuple[str, int, tuple[str, ...]]]:
        return self._parts[hash(address) % _PARTS]
