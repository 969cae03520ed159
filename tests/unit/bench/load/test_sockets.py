"""Frames of WebSockets: masked by the client, read in any pieces, answered in their order."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from bench.load.recorder import Recorder
from bench.load.scenario import Request
from bench.load.sockets import Socket, Sockets, frame
from bench.load.target import Target

UPGRADED = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"


class Wire:
    """What a socket writes."""

    def __init__(self) -> None:
        self.sent = b""
        self.aborted = False

    def write(self, data: bytes) -> None:
        self.sent += data

    def abort(self) -> None:
        self.aborted = True


def made() -> tuple[Sockets, Socket, Wire]:
    owner = Sockets(Request(name="chat", kind="websocket"), Target("127.0.0.1", 1, "x"), Recorder(1.0), 1, 1)
    loop = asyncio.new_event_loop()
    socket, wire = Socket(owner, b"head", loop.create_future()), Wire()
    loop.close()
    socket.connection_made(cast(Any, wire))
    wire.sent = b""
    return owner, socket, wire


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65_535])
def test_frames_are_masked_and_keep_what_they_carry(size: int) -> None:
    payload = bytes(number % 251 for number in range(size))
    raw = frame(0x1, payload)
    assert (raw[0], bool(raw[1] & 0x80)) == (0x81, True)
    begin = 2 if size < 126 else 4
    mask, masked = raw[begin : begin + 4], raw[begin + 4 :]
    assert bytes(byte ^ mask[at % 4] for at, byte in enumerate(masked)) == payload


@pytest.mark.parametrize("step", [1, 3, 1000])
def test_answers_are_matched_in_their_order(step: int) -> None:
    owner, socket, wire = made()
    raw = b"\x81\x02hi" + b"\x89\x01p" + b"\x01\x01a\x80\x01b" + b"\x81\x7e\x01\x00" + b"x" * 256
    socket.data_received(UPGRADED)
    for _ in range(3):
        owner.fire(0)
    wire.sent = b""
    for at in range(0, len(raw), step):
        socket.data_received(raw[at : at + step])
    assert owner.recorder.tally.total("chat").good == 3
    assert owner.busy() == 0
    assert wire.sent[:2] == b"\x8a\x81"  # the ping was answered


def test_a_server_that_closes_loses_what_waited() -> None:
    owner, socket, wire = made()
    socket.data_received(UPGRADED)
    owner.fire(0)
    socket.data_received(b"\x88\x00")
    assert wire.aborted
    socket.connection_lost(None)
    assert owner.recorder.tally.total("chat").errors == {"WebSocket lost": 1}


def test_without_a_socket_a_message_is_an_error() -> None:
    owner, socket, _ = made()
    owner.fire(0)
    socket.data_received(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
    owner.fire(0)
    assert owner.recorder.tally.total("chat").errors == {"no WebSocket open": 2}
