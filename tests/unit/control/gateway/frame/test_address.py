"""A client's address is the connection's, or what trusted proxies say of it; nobody else is believed."""

from __future__ import annotations

import pytest

from control.gateway.frame.address import client, networks, site

PROXIES = networks("127.0.0.0/8, ::1/128,10.1.0.0/16")


@pytest.mark.parametrize(
    ("remote", "forwarded", "found"),
    [
        ("192.0.2.7", "", "192.0.2.7"),
        ("192.0.2.7", "198.51.100.1", "192.0.2.7"),  # a stranger who says that he is somebody else
        ("127.0.0.1", "", "127.0.0.1"),
        ("127.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("127.0.0.1", "203.0.113.9, 198.51.100.1", "198.51.100.1"),  # what the client wrote before is not believed
        ("127.0.0.1", "198.51.100.1, 10.1.2.3", "198.51.100.1"),
        ("127.0.0.1", "198.51.100.1, nonsense", "127.0.0.1"),
        ("127.0.0.1", "nonsense", "127.0.0.1"),
        ("127.0.0.1", "10.1.2.3", "10.1.2.3"),
        ("::ffff:127.0.0.1", "2001:DB8::1", "2001:db8::1"),
        ("", "198.51.100.1", "198.51.100.1"),  # a unix socket
        ("", "", ""),
        (
            "127.0.0.1",
            "198.51.100.1," + "10.1.0.1," * 100 + "10.1.0.1",
            "10.1.0.1",
        ),  # it looks back so far and no further
    ],
)
def test_who_is_believed(remote: str, forwarded: str, found: str) -> None:
    assert client(remote, forwarded, PROXIES) == found


@pytest.mark.parametrize(
    ("address", "found"),
    [("192.0.2.7", "192.0.2.7"), ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"), ("", "")],
)
def test_limits_go_by_what_one_customer_has(address: str, found: str) -> None:
    assert site(address) == found


def test_networks_that_are_none_are_refused() -> None:
    with pytest.raises(ValueError, match="has host bits set"):
        networks("10.0.0.1/8")
    assert networks("") == ()
