"""For whom the gateway calls the other services: for whoever sent the request, or, said out loud, for itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from kernel.authority import become, platform
from kernel.rpc import wire

PLATFORM: Final = "platform:gateway"


def become_platform() -> None:
    """The request that is being answered is the platform's own, from here to its end."""
    become(platform("gateway"))
    wire.identity.set(PLATFORM)


@contextmanager
def as_platform() -> Iterator[None]:
    """The calls of this block are the platform's own: nobody is asked whether they may."""
    token = wire.identity.set(PLATFORM)
    try:
        yield
    finally:
        wire.identity.reset(token)
