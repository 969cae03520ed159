"""PROXY headers: what is believed of them, and that neither splits nor garbage make another one."""

from __future__ import annotations

import ipaddress
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.core.errors import Refused
from router.core.proxy_protocol import MAX_HEADER, read_proxy_header

SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
V4 = bytes((1, 2, 3, 4, 5, 6, 7, 8)) + b"\x00\x50\x01\xbb"
V6 = ipaddress.IPv6Address("2001:db8::1").packed * 2 + bytes(4)


def binary(command: int, family: int, body: bytes, length: int | None = None) -> bytes:
    size = len(body) if length is None else length
    return SIGNATURE + bytes((command, family)) + size.to_bytes(2, "big") + body


GOOD = {
    b"PROXY TCP4 1.2.3.4 5.6.7.8 80 443\r\n": "1.2.3.4",
    b"PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n": "255.255.255.255",
    b"PROXY TCP6 2001:DB8::1 ::1 0 65535\r\n": "2001:db8::1",
    b"PROXY UNKNOWN\r\n": "",
    b"PROXY UNKNOWN ffff:f:f whatever 1 2\r\n": "",
    binary(0x21, 0x11, V4): "1.2.3.4",
    binary(0x21, 0x11, V4 + b"\x04\x00\x03abc" + b"\x03\x00\x04\x00\x00\x00\x00"): "1.2.3.4",
    binary(0x21, 0x21, V6): "2001:db8::1",
    binary(0x21, 0x00, b""): "",
    binary(0x21, 0x12, V4): "",
    binary(0x21, 0x31, bytes(216)): "",
    binary(0x20, 0x00, b""): "",
    binary(0x20, 0x11, V4): "",
    binary(0x21, 0x11, V4 + bytes(MAX_HEADER - 28)): "1.2.3.4",
}
BAD = [
    b"GET / HTTP/1.1\r\n",
    b"PROXY  TCP4 1.2.3.4 5.6.7.8 80 443\r\n",
    b"PROXY TCP4 1.2.3.4 5.6.7.8 80\r\n",
    b"PROXY TCP4 1.2.3.4 5.6.7.8 80 443 \r\n",
    b"PROXY TCP4 1.2.3.4 5.6.7.8 80 65536\r\n",
    b"PROXY TCP4 1.2.3.4 5.6.7.8 080 443\r\n",
    b"PROXY TCP4 01.2.3.4 5.6.7.8 80 443\r\n",
    b"PROXY TCP4 1.2.3.4.5 5.6.7.8 80 443\r\n",
    b"PROXY TCP4 ::1 ::1 80 443\r\n",
    b"PROXY TCP6 1.2.3.4 1.2.3.4 80 443\r\n",
    b"PROXY TCP6 fe80::1%eth0 ::1 80 443\r\n",
    b"PROXY TCP4 1.2.3.4 5.6.7.8 80 443\n" + bytes(200),
    b"PROXY UNKNOWN " + b"x" * 92 + b"\r\n",
    b"PROXY UDP4 1.2.3.4 5.6.7.8 80 443\r\n",
    b"proxy TCP4 1.2.3.4 5.6.7.8 80 443\r\n",
    b"PROXYX",
    SIGNATURE[:-1] + b"X",
    binary(0x11, 0x11, V4),
    binary(0x22, 0x11, V4),
    binary(0x21, 0x41, V4),
    binary(0x21, 0x13, V4),
    binary(0x21, 0x11, V4[:-1]),
    binary(0x21, 0x21, V6[:-1]),
    binary(0x21, 0x11, V4, length=MAX_HEADER),
    b"",
]


@pytest.mark.parametrize("raw", GOOD)
def test_a_good_header_is_taken_however_it_is_split(raw: bytes) -> None:
    for stop in range(len(raw)):
        assert read_proxy_header(raw[:stop]) is None
    for behind in (b"", b"GET / HTTP/1.1\r\n\r\n", raw):
        header = read_proxy_header(raw + behind)
        assert header is not None
        assert (header.ip, header.end) == (GOOD[raw], len(raw))


@pytest.mark.parametrize("raw", BAD[:-1])
def test_a_header_that_is_not_exactly_right_is_refused(raw: bytes) -> None:
    with pytest.raises(Refused, match="PROXY_HEADER_INVALID"):
        read_proxy_header(raw)


def test_an_unknown_line_of_the_greatest_length_is_taken() -> None:
    raw = b"PROXY UNKNOWN " + b"x" * 91 + b"\r\n"
    header = read_proxy_header(raw)
    assert header is not None
    assert header.end == 107


LINE = re.compile(rb"PROXY (UNKNOWN[^\r\n]*|TCP[46] \S+ \S+ \d+ \d+)\r\n")
BYTES = st.one_of(
    st.binary(max_size=64),
    st.builds(bytes.__add__, st.sampled_from([*GOOD, SIGNATURE, b"PROXY ", b"PROXY TCP4 "]), st.binary(max_size=64)),
    st.builds(
        lambda raw, at, byte: raw[: at % len(raw)] + byte + raw[at % len(raw) + 1 :],
        st.sampled_from(list(GOOD)),
        st.integers(0, 300),
        st.binary(max_size=2),
    ),
)


@given(BYTES, st.integers(0, 300))
def test_whatever_comes_is_taken_alike_in_pieces_and_bounded(raw: bytes, split: int) -> None:
    def verdict(data: bytes) -> tuple[str, int] | str:
        try:
            header = read_proxy_header(data)
        except Refused:
            return "refused"
        return "more" if header is None else (header.ip, header.end)

    first, whole = verdict(raw[:split]), verdict(raw)
    assert first in ("more", whole) or (first == "refused" and whole == "refused")
    if isinstance(whole, tuple):
        ip, end = whole
        assert not ip or str(ipaddress.ip_address(ip)) == ip
        assert end <= MAX_HEADER
        assert LINE.fullmatch(raw[:end]) or raw.startswith(SIGNATURE)
    assert len(raw) < MAX_HEADER or whole != "more"
