"""Events are counted where they end, however their bytes are split."""

from __future__ import annotations

import pytest

from bench.load.recorder import Recorder
from bench.load.scenario import Request
from bench.load.streams import Stream, Streams
from bench.load.target import Target

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"


@pytest.mark.parametrize("body", [b"data: 1\n\n: ping\n\ndata: 2\n\n", b"data: 1\r\n\r\n: ping\r\n\r\ndata: 2\r\n\r\n"])
@pytest.mark.parametrize("step", [1, 2, 3, 5, 100])
def test_events_are_counted_in_any_pieces(body: bytes, step: int) -> None:
    recorder = Recorder(1.0)
    request = Request(name="events", kind="stream", events=3)
    stream = Stream(Streams(request, Target("127.0.0.1", 1, "x"), recorder, 1, 1), 0, b"")
    for at in range(0, len(body), step):
        assert stream.seen < 3
        stream.data_received((b"" if at else HEAD) + body[at : at + step])
    assert stream.seen == 3
    assert recorder.tally.total("events").good == 1
    assert recorder.tally.total("events: gaps").good == 2
