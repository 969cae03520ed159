"""Listening sockets across generations: which are kept, made and closed."""

from __future__ import annotations

import pytest

from kernel.errors import ShipoffError
from router.listening import Sockets, bind, doors, is_secure
from router.settings import RouterSettings

PLAIN = RouterSettings(listen="127.0.0.1:0")
BOTH = RouterSettings(listen="127.0.0.1:0", listen_tls="127.0.0.1:0, [::1]:0")


def close(*made: Sockets) -> None:
    for sockets in made:
        for sock in sockets.values():
            sock.close()


def test_each_address_is_a_door() -> None:
    assert [(door.name, is_secure(door.name)) for door in doors(BOTH)] == [
        ("http 127.0.0.1:0", False),
        ("tls 127.0.0.1:0", True),
        ("tls ::1:0", True),
    ]
    assert len(doors(RouterSettings(listen="127.0.0.1:80,127.0.0.1:80"))) == 1


def test_workers_share_an_address_and_not_a_socket() -> None:
    made = bind(doors(BOTH), 2, [])
    for name in made[0]:
        assert made[0][name].getsockname() == made[1][name].getsockname()
        assert made[0][name].fileno() != made[1][name].fileno()
    close(*made)


def test_the_next_generation_goes_on_with_the_sockets_of_before() -> None:
    before = bind(doors(BOTH), 2, [])
    kept = [sockets["http 127.0.0.1:0"] for sockets in before]
    surplus = before[0]["tls 127.0.0.1:0"]
    after = bind(doors(PLAIN), 3, [dict(sockets) for sockets in before])
    assert [sockets["http 127.0.0.1:0"] for sockets in after][:2] == kept
    assert len({sockets["http 127.0.0.1:0"].getsockname() for sockets in after}) == 1
    assert surplus.fileno() == -1
    fewer = bind(doors(PLAIN), 1, [dict(sockets) for sockets in after])
    assert [sock.fileno() == -1 for sock in kept] == [False, True]
    close(*fewer)


def test_an_address_that_is_taken_is_an_error_and_nothing_stays_open() -> None:
    (taken,) = bind(doors(PLAIN), 1, [])
    taken["http 127.0.0.1:0"].listen()
    port = taken["http 127.0.0.1:0"].getsockname()[1]
    with pytest.raises(ShipoffError, match="LISTEN_FAILED"):
        bind(doors(RouterSettings(listen=f"127.0.0.1:0, 127.0.0.1:{port}")), 1, [])
    close(taken)


def test_to_listen_nowhere_is_an_error() -> None:
    with pytest.raises(ShipoffError, match="LISTEN_FAILED"):
        bind(doors(RouterSettings(listen="")), 1, [])
