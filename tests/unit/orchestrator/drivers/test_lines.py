"""Output becomes lines, and lines a log that is bounded and can be read on."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.drivers.local import lines
from orchestrator.drivers.local.lines import LineSplitter, LogWriter, read_log


def split(chunks: list[bytes], limit: int = 100) -> list[str]:
    splitter = LineSplitter(limit)
    return [line for chunk in chunks for line in splitter.feed(chunk)] + list(splitter.end())


def test_lines_are_cut_at_line_feeds_wherever_the_chunks_end() -> None:
    assert split([b"on", b"e\ntw", b"o\r\n\nla", b"st"]) == ["one", "two", "", "last"]


def test_a_long_line_is_cut_once_and_its_rest_dropped() -> None:
    assert split([b"x" * 60, b"x" * 60, b"x" * 500, b"y\nnext\n"]) == ["x" * 100 + " … (line cut)", "next"]


def test_text_that_is_none_is_made_readable() -> None:
    assert split([b"a\xff\x00b\n"]) == ["a\ufffd\ufffdb"]


@given(st.binary(max_size=400), st.lists(st.integers(1, 60), max_size=12))
def test_chunk_borders_never_matter_for_short_lines(data: bytes, cuts: list[int]) -> None:
    chunks, rest = [], data
    for cut in cuts:
        chunks.append(rest[:cut])
        rest = rest[cut:]
    assert split([*chunks, rest], 1000) == split([data], 1000)


def test_a_log_is_read_on_from_where_a_reader_stopped(tmp_path: Path) -> None:
    writer = LogWriter(tmp_path, 1 << 20)
    writer.write("stdout", "one")
    writer.write("stderr", "two words")
    found, offset = read_log(tmp_path, 0, 10)
    assert [(stream, text) for _, stream, text in found] == [("stdout", "one"), ("stderr", "two words")]
    assert read_log(tmp_path, offset, 10) == ([], offset)
    writer.write("platform", "")
    found, _ = read_log(tmp_path, offset, 10)
    assert [(stream, text) for _, stream, text in found] == [("platform", "")]
    writer.close()


def test_a_page_is_bounded_and_the_next_goes_on(tmp_path: Path) -> None:
    writer = LogWriter(tmp_path, 4096 * 4)
    for number in range(400):
        writer.write("stdout", str(number))
    writer.close()
    found: list[str] = []
    offset = 0
    while True:
        page, after = read_log(tmp_path, offset, 7)
        if not page:
            break
        assert len(page) <= 7
        found += [text for _, _, text in page]
        offset = after
    assert found == [str(number) for number in range(400)]


def test_old_segments_go_and_a_late_reader_starts_at_the_first_line_kept(tmp_path: Path) -> None:
    writer = LogWriter(tmp_path, 4096 * 4)
    for number in range(3000):
        writer.write("stdout", f"line {number}")
    writer.close()
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 4096 * 5
    found, _ = read_log(tmp_path, 0, 10_000)
    texts = [text for _, _, text in found]
    assert texts[0] != "line 0"
    assert texts[-1] == "line 2999"
    assert texts == [f"line {number}" for number in range(int(texts[0].split()[1]), 3000)]


def test_what_is_over_the_rate_is_counted_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "MAX_LINES_PER_S", 10)
    now = [1000.0]
    monkeypatch.setattr(time, "time", lambda: now[0])
    writer = LogWriter(tmp_path, 1 << 20)
    for number in range(25):
        writer.write("stdout", str(number))
    now[0] += 1
    writer.write("stdout", "later")
    writer.close()
    found, _ = read_log(tmp_path, 0, 100)
    texts = [text for _, _, text in found]
    assert texts == [*map(str, range(10)), "15 lines were dropped: over 10 lines in one second", "later"]
    assert list(writer.last)[-2:] == ["24", "later"]


def test_half_a_record_is_left_for_the_next_read(tmp_path: Path) -> None:
    (tmp_path / "log.0000000000000000").write_bytes(b"1 o whole\n2 o hal")
    found, offset = read_log(tmp_path, 0, 10)
    assert ([text for _, _, text in found], offset) == (["whole"], 10)
