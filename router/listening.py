"""The sockets at which requests come in: one per address and worker, the same ones across generations.

Each worker has sockets of its own (SO_REUSEPORT: the kernel spreads connections over them), named by what they are for,
so that the next generation finds again what it wants. A socket in whose queue connections wait is never closed by the
one who wants it no longer as long as a worker still accepts from it.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable
from typing import Final, NamedTuple

from kernel.errors import define
from router.settings import RouterSettings, addresses

LISTEN_FAILED = define("LISTEN_FAILED", source="client", hint="choose another address, or stop what listens there")
_TLS: Final = "tls "
_PLAIN: Final = "http "
# Name of the address -> bound socket.
Sockets = dict[str, socket.socket]


class Door(NamedTuple):
    """An address at which requests come in.

    Attributes:
        name: the same in every generation that listens there for the same.
    """

    name: str
    host: str
    port: int


def doors(settings: RouterSettings) -> list[Door]:
    """All addresses of the settings, each once."""
    found = [
        Door(f"{kind}{host}:{port}", host, port)
        for kind, text in ((_PLAIN, settings.listen), (_TLS, settings.listen_tls))
        for host, port in addresses(text)
    ]
    return list(dict.fromkeys(found))


def is_secure(name: str) -> bool:
    """Whether TLS is spoken at the door of this name."""
    return name.startswith(_TLS)


def bind(wanted: list[Door], workers: int, old: list[Sockets]) -> list[Sockets]:
    """The sockets of each worker: those of before where there are any, else new ones.

    Args:
        old: what the workers of before handed over; what is not used is closed (its worker accepts what waits in it
            before it closes).

    Raises:
        ShipoffError: LISTEN_FAILED; somebody else listens there, or nobody can.
    """
    if not wanted:
        raise LISTEN_FAILED("neither listen nor listen_tls names an address")
    made: list[Sockets] = [{} for _ in range(workers)]
    try:
        for door in wanted:
            taken = [sockets.pop(door.name) for sockets in old if door.name in sockets]
            address = taken[0].getsockname()[:2] if taken else _probe(door)
            for own in made:
                own[door.name] = taken.pop(0) if taken else _bound(address, shared=True)
            _close(taken)
    except BaseException:
        for own in made:
            _close(own.values())
        raise
    finally:
        for sockets in old:
            _close(sockets.values())
    return made


def _close(sockets: Iterable[socket.socket]) -> None:
    for sock in sockets:
        sock.close()


def _probe(door: Door) -> tuple[str, int]:
    """Makes sure that nobody listens on the address: SO_REUSEPORT would share it with a stranger in silence."""
    with _bound((door.host, door.port), shared=False) as probe:
        host, port = probe.getsockname()[:2]
        return host, port


def _bound(address: tuple[str, int], shared: bool) -> socket.socket:
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if shared:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        sock.bind(address)
    except OSError as error:
        sock.close()
        raise LISTEN_FAILED(f"{address[0]}:{address[1]}: {error.strerror}") from error
    sock.setblocking(False)
    return sock
