"""What a worker gets from its supervisor at birth: settings and listening sockets, through one inherited descriptor.

The settings are the supervisor's own, not read anew: a file that has become wrong in the meantime cannot keep a crashed
worker from being replaced. They may hold secrets, so they stand in memory that has no name, never among arguments.
"""

from __future__ import annotations

import os
import socket
from typing import Final, NamedTuple

import orjson

from router.listening import Sockets
from router.settings import RouterSettings

_MOST: Final = 1_048_576


class Inherited(NamedTuple):
    """A worker's inheritance."""

    settings: RouterSettings
    sockets: Sockets

    def give(self) -> tuple[int, list[int]]:
        """Writes it down for a child.

        Returns:
            The descriptor that tells, to be closed when the child runs; and all that the child must inherit.
        """
        numbers = {name: sock.fileno() for name, sock in self.sockets.items()}
        descriptor = os.memfd_create("shipoff-router-worker")
        os.write(descriptor, orjson.dumps({"settings": self.settings.model_dump(mode="json"), "sockets": numbers}))
        os.lseek(descriptor, 0, os.SEEK_SET)
        return descriptor, [descriptor, *numbers.values()]

    @classmethod
    def take(cls, descriptor: int) -> Inherited:
        """Reads what the supervisor has written down, and closes the descriptor."""
        with os.fdopen(descriptor, "rb") as file:
            told = orjson.loads(file.read(_MOST))
        sockets = {name: socket.socket(fileno=number) for name, number in told["sockets"].items()}
        return cls(RouterSettings.model_validate(told["settings"]), sockets)
