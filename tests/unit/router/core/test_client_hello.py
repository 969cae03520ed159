"""Client hellos: what OpenSSL says of itself, read from any split, and what is refused."""

from __future__ import annotations

import ssl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.core.client_hello import MAX_HELLO, read_client_hello
from router.core.errors import Refused


def hello(host: str = "app.test", protocols: tuple[str, ...] = ()) -> bytes:
    """What a client really sends."""
    context = ssl.create_default_context()
    if protocols:
        context.set_alpn_protocols(protocols)
    outgoing = ssl.MemoryBIO()
    with pytest.raises(ssl.SSLWantReadError):
        context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname=host).do_handshake()
    return outgoing.read()


def records(message: bytes, size: int) -> bytes:
    """A handshake message in records of a size."""
    parts = [message[at : at + size] for at in range(0, len(message), size)]
    return b"".join(b"\x16\x03\x01" + len(part).to_bytes(2, "big") + part for part in parts)


def message(*extensions: tuple[int, bytes]) -> bytes:
    """A small hello with these extensions."""
    listed = b"".join(kind.to_bytes(2, "big") + len(body).to_bytes(2, "big") + body for kind, body in extensions)
    body = b"\x03\x03" + bytes(32) + b"\x00" + b"\x00\x02\x13\x01" + b"\x01\x00" + len(listed).to_bytes(2, "big")
    body += listed
    return b"\x01" + len(body).to_bytes(3, "big") + body


def name(*names: tuple[int, bytes]) -> tuple[int, bytes]:
    listed = b"".join(bytes((kind,)) + len(text).to_bytes(2, "big") + text for kind, text in names)
    return 0, len(listed).to_bytes(2, "big") + listed


REAL = hello("APP.test", ("h2", "http/1.1"))


def test_a_real_hello_is_read_whole() -> None:
    found = read_client_hello(REAL)
    assert found is not None
    assert (found.host, found.protocols) == (b"app.test", (b"h2", b"http/1.1"))


def test_a_real_hello_without_a_name_is_read() -> None:
    found = read_client_hello(hello("127.0.0.1"))
    assert found is not None
    assert (found.host, found.protocols) == (b"", ())


@given(st.integers(0, len(REAL) - 1), st.integers(1, 700))
def test_splits_and_records_change_nothing(stop: int, size: int) -> None:
    assert read_client_hello(REAL[:stop]) is None
    found = read_client_hello(records(REAL[5:], size) + b"\x14\x03\x03\x00\x01\x01")
    assert found is not None
    assert found.host == b"app.test"


@pytest.mark.parametrize(
    "raw",
    [
        b"GET / HTTP/1.1\r\n",
        b"\x15\x03\x01",
        b"\x16\x02",
        b"\x16\x03\x01\x00\x00",
        b"\x16\x03\x01\x40\x01",
        b"\x16\x03\x01\x00\x04\x02\x00\x00\x00",
        b"\x16\x03\x01\x00\x04\x01\x00\xff\xff",
        records(b"\x01\x00\x00\x01\x00", 99),
        records(message(name((0, b"a.test"), (0, b"b.test"))), 99),
        records(message(name((1, b"a.test"))), 99),
        records(message(name((0, b"a b"))), 99),
        records(message(name((0, b""))), 99),
        records(message(name((0, b"a.test")), name((0, b"b.test"))), 99),
        records(message((16, b"\x00\x05\x09h2")), 99),
        records(message((0, b"\x00\xff")), 99),
    ],
)
def test_what_is_no_hello_is_refused(raw: bytes) -> None:
    with pytest.raises(Refused, match="CLIENT_HELLO_INVALID"):
        read_client_hello(raw)


@given(st.binary(max_size=80), st.integers(0, 600))
def test_garbage_is_refused_or_awaited_and_never_more(garbage: bytes, at: int) -> None:
    raw = REAL[:at] + garbage + REAL[at + len(garbage) :]
    try:
        found = read_client_hello(raw)
    except Refused:
        return
    assert found is None or found.host == b"" or found.host.isascii()
    assert found is not None or len(raw) < MAX_HELLO
