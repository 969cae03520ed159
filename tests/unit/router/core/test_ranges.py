"""Sets of networks."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.core.ranges import Ranges, client_key, plain


def test_membership() -> None:
    ranges = Ranges(["10.0.0.0/8", "192.0.2.7", "2001:db8::/32", " ::1 ", ""])
    assert all(ip in ranges for ip in ("10.9.8.7", "192.0.2.7", "2001:db8:1::2", "::1"))
    assert not any(ip in ranges for ip in ("11.0.0.1", "192.0.2.8", "2001:db9::1", "::2", "", "x", "unix"))
    assert ranges
    assert not Ranges()


@pytest.mark.parametrize("text", ["10.0.0.0/33", "x", "10.0.0.1/8"])
def test_what_is_no_network(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        Ranges([text])


@given(
    st.lists(st.ip_addresses().flatmap(lambda a: st.integers(0, a.max_prefixlen).map(lambda n: (a, n)))),
    st.ip_addresses(),
)
def test_it_agrees_with_the_library(nets: list[tuple[object, int]], ip: object) -> None:
    networks = [ipaddress.ip_network(f"{address}/{size}", strict=False) for address, size in nets]
    found = any(ip.version == n.version and ip in n for n in networks)  # type: ignore[attr-defined]
    assert (str(ip) in Ranges(str(n) for n in networks)) is found


def test_what_counts_as_one_client() -> None:
    assert client_key("192.0.2.1") == "192.0.2.1"
    assert client_key("2001:db8:1:2:3::4") == client_key("2001:db8:1:2::9") != client_key("2001:db8:1:3::4")
    assert client_key("") == ""
    assert plain("::ffff:192.0.2.1") == "192.0.2.1"
    assert plain("fe80::1%eth0") == "fe80::1"
