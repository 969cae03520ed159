"""Both ways to write a line of the access log: the same octets from the same record, and always JSON."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router import COMPILED
from router.access_log.lines import line, line_log, lines, quick_line
from router.access_log.noted import AccessLog
from router.core.request import DONE, LOST
from tests.unit.router.requests import HEAD, ended

BY = b'"project":"prj_1","environment":"production","release":"rel_1","instance":"ins_1","kind":"app"'
SECONDS = st.floats(0, 100_000, allow_nan=False)
COUNTS = st.integers(0, 2**62)
TARGETS = st.from_regex(rb"[!-~]{0,60}", fullmatch=True)
HOSTS = st.one_of(TARGETS, st.from_regex(rb"[\t\x20-\x7e\x80-\xff]{0,60}", fullmatch=True))  # what a head can hold


@st.composite
def entries(draw: st.DrawFn) -> tuple[Any, ...]:
    """What the path notes of a request, with times in their order."""
    started, queued, connecting, waited, rest = (draw(SECONDS) for _ in range(5))
    answered = started + queued + connecting + waited
    known = (b"0" * 32, started, answered + rest, "2001:db8::1", b"GET", draw(HOSTS), draw(TARGETS))
    served = (1, "prj_1", "production", "rel_1", "ins_1")
    counts = (draw(st.sampled_from([DONE, LOST])), draw(st.integers(0, 4)), draw(COUNTS), draw(COUNTS))
    first = draw(st.sampled_from([0.0, answered]))
    trace = draw(st.sampled_from([b"", b"00-" + b"a" * 32 + b"-" + b"b" * 16 + b"-01"]))
    return (*known, trace, draw(st.integers(100, 599)), "", *served, *counts, queued, connecting, first)


@given(entries())
def test_a_line_is_json_with_what_was_noted(entry: tuple[Any, ...]) -> None:
    read = json.loads(line(entry, 1_700_000_000.0, BY))
    assert (read["target"], read["host"]) == (entry[6].decode("latin-1"), entry[5].decode("latin-1"))
    assert (read["status"], read.get("received", 0), read["sent"]) == (entry[8], entry[17], entry[18])
    assert read["project"] == "prj_1"
    assert read["at"] == pytest.approx(1_700_000_000 + entry[1], abs=1e-5)


@pytest.mark.skipif(not COMPILED, reason="there is only one way without the compiled form")
@given(entries())
def test_the_compiled_line_is_the_same(entry: tuple[Any, ...]) -> None:
    assert quick_line is not None
    quick = quick_line(entry, 1_700_000_000.0, BY)
    assert quick is None or quick == line(entry, 1_700_000_000.0, BY)
    if all(32 < octet < 127 and octet not in b'"\\' for octet in entry[5] + entry[6]):
        assert quick is not None


@pytest.mark.parametrize("target", [b"/", b'/a"quote', b"/" + b"long" * 500])
def test_a_log_of_lines_writes_what_one_of_entries_does(target: bytes) -> None:
    request = ended(head=HEAD.replace(b"/a?b=c", target))
    quick, plain = line_log(), AccessLog(lines)
    for log in (quick, plain):
        for _ in range(3):
            log.add(request, "192.0.2.1", 0.01)
        assert len(log) == 3
    one, other = quick.take(), plain.take()
    assert one is not None and other is not None
    assert (one.count, quick.take(), len(quick)) == (3, None, 0)
    assert _without_time(one.data) == _without_time(other.data)


def _without_time(data: bytes) -> list[Any]:
    return [{**json.loads(text), "at": 0} for text in data.splitlines()]
