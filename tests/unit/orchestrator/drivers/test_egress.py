"""Where tenants may go, and how their requests are read."""

from __future__ import annotations

import pytest

from orchestrator.drivers.local.egress.addresses import EgressPolicy
from orchestrator.drivers.local.egress.proxy import RefusedError, parse


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0",
        "127.0.0.1",
        "127.255.0.3",
        "10.1.2.3",
        "172.16.0.1",
        "172.31.255.255",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "192.0.0.170",
        "198.18.0.1",
        "224.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "fe80::1",
        "fe80::1%eth0",
        "fc00::1",
        "fd12::1",
        "fec0::1",
        "ff02::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::127.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::1",
        "2002:7f00:1::",
        "2002:c0a8:101::1",
        "2001::1",
    ],
)
def test_private_and_special_addresses_are_refused(address: str) -> None:
    assert EgressPolicy().refusal(address, 443)


@pytest.mark.parametrize(
    "address",
    ["203.0.113.80", "1.1.1.1", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "64:ff9b::101:101", "2002:101:101::"],
)
def test_public_addresses_and_test_networks_are_allowed(address: str) -> None:
    assert EgressPolicy().refusal(address, 443) == ""


def test_an_operator_may_open_a_network() -> None:
    policy = EgressPolicy(["10.1.0.0/16"])
    assert policy.refusal("10.1.2.3", 8080) == ""
    assert policy.refusal("::ffff:10.1.2.3", 8080) == ""
    assert policy.refusal("10.2.0.1", 8080)


def test_mail_is_refused() -> None:
    assert EgressPolicy().refusal("1.1.1.1", 25)


def test_a_tunnel_is_read() -> None:
    request = parse(b"CONNECT registry.example:443 HTTP/1.1\r\nHost: x\r\n\r\n")
    assert (request.host, request.port, request.tunnel) == ("registry.example", 443, True)
    assert parse(b"CONNECT [::1]:443 HTTP/1.1\r\n\r\n").host == "::1"


def test_a_plain_request_is_sent_on_without_what_was_for_the_proxy() -> None:
    head = (
        b"GET http://example.org/a?b=1 HTTP/1.1\r\nHost: example.org\r\nProxy-Authorization: Basic x\r\n"
        b"Proxy-Connection: keep-alive\r\nConnection: keep-alive\r\nAccept: */*\r\n\r\n"
    )
    request = parse(head)
    assert (request.host, request.port, request.tunnel) == ("example.org", 80, False)
    assert request.forwarded(absolute=False, extra=b"") == (
        b"GET /a?b=1 HTTP/1.1\r\nHost: example.org\r\nAccept: */*\r\nConnection: close\r\n\r\n"
    )
    through = request.forwarded(absolute=True, extra=b"Proxy-Authorization: Basic eA==\r\n")
    assert through.startswith(b"GET http://example.org/a?b=1 HTTP/1.1\r\n")
    assert b"Proxy-Authorization: Basic eA==\r\n" in through


@pytest.mark.parametrize(
    "head",
    [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET ftp://x/ HTTP/1.1\r\n\r\n",
        b"CONNECT x HTTP/1.1\r\n\r\n",
        b"CONNECT x:notaport HTTP/1.1\r\n\r\n",
        b"CONNECT x:99999 HTTP/1.1\r\n\r\n",
        b"nonsense\r\n\r\n",
        b"\r\n\r\n",
    ],
)
def test_what_is_no_proxy_request_is_refused(head: bytes) -> None:
    with pytest.raises(RefusedError, match="proxy"):
        parse(head)
