"""Who the client is behind proxies that are trusted, and behind those that are not."""

from __future__ import annotations

import pytest

from router.core.fields import CLOUDFLARE, NOBODY, PROXY
from router.core.head import RequestHead, read_request
from router.core.trust import Peer, Trust, networks

PROXIES, CLOUD = networks("10.0.0.0/8, fd00::/8"), networks("172.64.0.0/13")
TRUST = Trust(PROXIES, CLOUD)
PULLS = Trust(PROXIES, CLOUD, pulls=True)


def head(peer: Peer, *lines: str) -> RequestHead:
    found = read_request("\r\n".join(["GET / HTTP/1.1", "Host: a.test", *lines, "", ""]).encode(), peer.trusted)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("ip", "lines", "client", "chain"),
    [
        # Nobody is believed.
        ("9.9.9.9", ["X-Forwarded-For: 1.1.1.1", "CF-Connecting-IP: 2.2.2.2"], "9.9.9.9", "9.9.9.9"),
        # A proxy of ours is, about the hop before it; what stands left of an untrusted hop is that one's own word.
        ("10.0.0.1", ["X-Forwarded-For: 1.1.1.1"], "1.1.1.1", "1.1.1.1, 10.0.0.1"),
        ("10.0.0.1", ["X-Forwarded-For: 6.6.6.6, 1.1.1.1"], "1.1.1.1", "1.1.1.1, 10.0.0.1"),
        ("10.0.0.1", ["X-Forwarded-For: 6.6.6.6,1.1.1.1 , 10.0.0.2"], "1.1.1.1", "1.1.1.1, 10.0.0.2, 10.0.0.1"),
        ("10.0.0.1", ["X-Forwarded-For: 6.6.6.6", "X-Forwarded-For: 1.1.1.1"], "1.1.1.1", "1.1.1.1, 10.0.0.1"),
        ("10.0.0.1", ["X-Forwarded-For: 10.0.0.3, 10.0.0.2"], "10.0.0.3", "10.0.0.3, 10.0.0.2, 10.0.0.1"),
        ("10.0.0.1", ["X-Forwarded-For: [2001:db8::1]:99"], "2001:db8::1", "2001:db8::1, 10.0.0.1"),
        ("10.0.0.1", ["X-Forwarded-For: 1.1.1.1:99"], "1.1.1.1", "1.1.1.1, 10.0.0.1"),
        ("10.0.0.1", ["X-Forwarded-For: 1.1.1.1, unknown"], "10.0.0.1", "10.0.0.1"),
        ("10.0.0.1", ["X-Forwarded-For: "], "10.0.0.1", "10.0.0.1"),
        ("10.0.0.1", [], "10.0.0.1", "10.0.0.1"),
        ("fd00::1", ["X-Forwarded-For: ::ffff:1.1.1.1"], "1.1.1.1", "1.1.1.1, fd00::1"),
        ("10.0.0.1", ["CF-Connecting-IP: 2.2.2.2"], "10.0.0.1", "10.0.0.1"),
        # Cloudflare's own header counts, wherever in the chain Cloudflare stands.
        ("172.64.0.1", ["X-Forwarded-For: 6.6.6.6, 1.1.1.1", "CF-Connecting-IP: 1.1.1.1"], "1.1.1.1", None),
        ("172.64.0.1", ["CF-Connecting-IP: 2001:db8::9"], "2001:db8::9", "2001:db8::9, 172.64.0.1"),
        ("172.64.0.1", ["CF-Connecting-IP: 1.1.1.1", "CF-Connecting-IP: 2.2.2.2"], "172.64.0.1", "172.64.0.1"),
        ("172.64.0.1", ["X-Forwarded-For: 6.6.6.6, 1.1.1.1"], "1.1.1.1", "1.1.1.1, 172.64.0.1"),
        (
            "10.0.0.1",
            ["X-Forwarded-For: 6.6.6.6, 1.1.1.1, 172.64.0.1", "CF-Connecting-IP: 1.1.1.1"],
            "1.1.1.1",
            "1.1.1.1, 172.64.0.1, 10.0.0.1",
        ),
    ],
)
def test_the_client_is_the_first_hop_from_the_right_that_nobody_vouches_for(
    ip: str, lines: list[str], client: str, chain: str | None
) -> None:
    peer = Peer(ip, TRUST)
    sent = head(peer, *lines, "Connection: keep-alive")
    assert peer.client_ip(sent) == client
    assert f"X-Forwarded-For: {chain or f'{client}, {ip}'}\r\n".encode() in peer.lines(sent)
    assert peer.client_ip(sent) == client


def test_one_connection_carries_many_clients() -> None:
    peer = Peer("10.0.0.1", TRUST)
    for client in ("1.1.1.1", "2.2.2.2", "1.1.1.1"):
        sent = head(peer, f"X-Forwarded-For: {client}")
        assert (peer.client_ip(sent), client.encode() in peer.lines(sent)) == (client, True)
    assert peer.client_ip(head(peer)) == "10.0.0.1"


def test_a_chain_has_an_end() -> None:
    peer = Peer("10.0.0.1", TRUST)
    sent = head(peer, "X-Forwarded-For: " + ", ".join(["10.0.0.9"] * 1000))
    assert peer.lines(sent).count(b"10.0.0.9") == 31


def test_the_word_of_cloudflare_is_passed_on_only_when_it_counts() -> None:
    for ip, believed in (("172.64.0.1", True), ("10.0.0.1", False), ("9.9.9.9", False)):
        peer = Peer(ip, TRUST)
        sent = head(peer, "CF-Connecting-IP: 1.1.1.1", "Forwarded: for=6.6.6.6", "True-Client-IP: 6.6.6.6")
        assert (b"CF-Connecting-IP: 1.1.1.1\r\n" in peer.lines(sent)) is believed
        assert b"CF-Connecting-IP" not in sent.lines
        assert (b"6.6.6.6" in sent.lines) is (ip == "10.0.0.1")  # Cloudflare passes these on as its clients sent them


def test_over_origin_pulls_only() -> None:
    assert Peer("172.64.0.1", TRUST).trusted == CLOUDFLARE
    assert Peer("172.64.0.1", PULLS).trusted == NOBODY
    assert Peer("172.64.0.1", PULLS, verified=True).trusted == CLOUDFLARE
    assert Peer("9.9.9.9", PULLS, verified=True).trusted == NOBODY
    assert Peer("10.0.0.1", PULLS).trusted == PROXY


def test_the_scheme_is_the_connections_own_unless_a_trusted_peer_says_otherwise() -> None:
    for ip, scheme, sent, seen in (
        ("9.9.9.9", "https", "http", "https"),
        ("9.9.9.9", "http", "https", "http"),
        ("10.0.0.1", "https", "http", "http"),
        ("10.0.0.1", "https", "gopher", "https"),
        ("172.64.0.1", "http", "https", "https"),
    ):
        peer = Peer(ip, TRUST, scheme)
        found = head(peer, f"X-Forwarded-Proto: {sent}")
        assert peer.client_scheme(found) == seen
        assert f"X-Forwarded-Proto: {seen}\r\n".encode() in peer.lines(found)


@pytest.mark.parametrize(
    ("ip", "lines", "found"),
    [
        ("172.64.0.1", ["CF-Ray: 7d0b1c2d3e4f5a6b-FRA"], b"7d0b1c2d3e4f5a6b-FRA"),
        ("172.64.0.1", ["CF-Ray: nonsense!"], b""),
        ("9.9.9.9", ["CF-Ray: 7d0b1c2d3e4f5a6b-FRA"], b""),
        ("172.64.0.1", ["CF-Ray: 7d0b1c2d3e4f5a6b-FRA", "X-Request-Id: mine-12345"], b"mine-12345"),
        ("172.64.0.1", ["X-Request-Id: mine-12345", "CF-Ray: 7d0b1c2d3e4f5a6b-FRA"], b"mine-12345"),
        ("172.64.0.1", ["CF-Ray: 7d0b1c2d3e4f5a6b-FRA", "X-Request-Id: ?"], b"7d0b1c2d3e4f5a6b-FRA"),
    ],
)
def test_a_request_without_an_id_has_the_name_of_its_ray(ip: str, lines: list[str], found: bytes) -> None:
    sent = head(Peer(ip, TRUST), *lines)
    assert sent.request_id == found
    assert (b"CF-Ray: " in sent.lines) is any(line.startswith("CF-Ray") for line in lines)
