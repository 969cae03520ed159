"""Hosts, targets and networks."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.core.head import read_request
from router.core.host import canonical
from router.core.request_ids import RequestIds
from router.core.target import path_of
from router.core.trust import Peer, Trust, networks


@pytest.mark.parametrize(
    ("sent", "host"),
    [
        (b"a.test", b"a.test"),
        (b"a.test:80", b"a.test"),
        (b"a.test.", b"a.test"),
        (b"a.test.:80", b"a.test"),
        (b"a.test:", b"a.test"),
        (b"1.2.3.4:5", b"1.2.3.4"),
        (b"[::1]:80", b"[::1]"),
        (b"a_b.test", b"a_b.test"),
        *(
            (bad, None)
            for bad in (b"", b"a b", b"a@b", b"a..b", b"a/b", b":80", b"a:x", b"a,b", b"-a", b".a", b"[::1", b"a:1:2")
        ),
    ],
)
def test_hosts(sent: bytes, host: bytes | None) -> None:
    assert canonical(sent) == host


@pytest.mark.parametrize(
    ("target", "path"),
    [
        (b"/a/b?c/../d", b"/a/b"),
        (b"/a/./b/../c/", b"/a/c/"),
        (b"/a/..", b"/"),
        (b"/a/b/..", b"/a/"),
        (b"/../../a", b"/a"),
        (b"/%41%2Fb", b"/A/b"),
        (b"//a///b", b"/a/b"),
        (b"/", b"/"),
        (b"*", b"*"),
    ],
)
def test_targets(target: bytes, path: bytes) -> None:
    assert path_of(target) == path


@given(st.text("ab/.%2eEfF5C\\?", max_size=20))
def test_a_resolved_path_has_nothing_left_to_climb(text: str) -> None:
    path = path_of(b"/" + text.encode())
    assert path.startswith(b"/")
    assert not {b"..", b"."} & set(path.split(b"/")) or b"%" in path_of(path)


def test_a_peer_is_trusted_by_its_network_only() -> None:
    ranges = Trust(networks("10.0.0.0/8, 2001:db8::/32"))
    assert Peer("10.1.2.3", ranges).trusted
    assert Peer("::ffff:10.1.2.3", ranges).trusted
    assert Peer("2001:db8::1%eth0", ranges).trusted
    assert not Peer("11.0.0.1", ranges).trusted
    assert not Peer("", ranges).trusted
    assert not Peer("10.1.2.3").trusted


def test_a_trusted_peers_odd_scheme_is_not_passed_on() -> None:
    head = read_request(b"GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-Proto: gopher\r\n\r\n", trusted=True)
    assert head is not None
    assert b"X-Forwarded-Proto: http\r\n" in Peer("10.0.0.1", Trust(networks("10.0.0.0/8"))).lines(head)


def test_request_ids_never_repeat() -> None:
    ids = RequestIds()
    made = {ids.next() for _ in range(1000)} | {RequestIds().next() for _ in range(10)}
    assert len(made) == 1010
    assert {len(one) for one in made} == {32}
