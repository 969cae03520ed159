r"""Output becomes lines, and lines become a log that is bounded on disk and can be read on from any offset.

A log is a directory of segments `log.<offset>`, each named by the offset of its first byte in the whole log, so that
an offset stays valid while old segments go. One record is one line: `<unix ms> <stream letter> <text>\n`.

Used by programs that run without site-packages: standard library only.
"""

from __future__ import annotations

import contextlib
import re
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

LETTERS: Final = {"stdout": "o", "stderr": "e", "platform": "p"}
STREAMS: Final = {letter: stream for stream, letter in LETTERS.items()}
KEEP_LAST: Final = 50
MAX_LINES_PER_S: Final = 5000
_SEGMENT: Final = re.compile(r"log\.(\d{16})")


class LineSplitter:
    """Cuts one stream's bytes into lines of at most `limit` bytes; the rest of a longer line is dropped, and marked."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._rest = b""
        self._skipping = False

    def feed(self, data: bytes) -> Iterator[str]:
        """The lines that are whole now."""
        *whole, rest = (self._rest + data).split(b"\n")
        for line in whole:
            if self._skipping:
                self._skipping = False
            else:
                yield self._text(line)
        self._rest = b"" if self._skipping else rest
        if len(self._rest) > self._limit:
            yield self._text(self._rest)
            self._rest, self._skipping = b"", True

    def end(self) -> Iterator[str]:
        """A last line without a line feed."""
        if self._rest:
            yield self._text(self._rest)
        self._rest = b""

    def _text(self, line: bytes) -> str:
        cut = line[: self._limit].rstrip(b"\r").decode("utf-8", "replace").replace("\x00", "\ufffd")
        return cut + (" … (line cut)" if len(line) > self._limit else "")


class LogWriter:
    """Appends lines to a directory, keeps at most about `max_bytes` of them, and at most MAX_LINES_PER_S a second.

    What is over the rate is counted and said, never waited for: an app must not stall on its own output.
    """

    def __init__(self, directory: Path, max_bytes: int) -> None:
        self._directory = directory
        self._segment_bytes = max(4096, max_bytes // 4)
        self._segments: deque[Path] = deque()
        self._file: BinaryIO | None = None
        self._offset = self._written = 0
        self._second = self._in_second = self._dropped = 0
        self.last: deque[str] = deque(maxlen=KEEP_LAST)

    def write(self, stream: str, text: str) -> None:
        """Appends one line."""
        self.last.append(text)
        now = int(time.time())
        if now != self._second:
            self._say_dropped()
            self._second, self._in_second = now, 0
        self._in_second += 1
        if self._in_second > MAX_LINES_PER_S:
            self._dropped += 1
        else:
            self._append(stream, text)

    def close(self) -> None:
        """Says what was dropped and closes the file."""
        self._say_dropped()
        if self._file is not None:
            self._file.close()

    def _say_dropped(self) -> None:
        if self._dropped:
            count, self._dropped = self._dropped, 0
            self._append("platform", f"{count} lines were dropped: over {MAX_LINES_PER_S} lines in one second")

    def _append(self, stream: str, text: str) -> None:
        record = f"{time.time_ns() // 1_000_000} {LETTERS[stream]} {text}\n".encode()
        if self._file is None or self._written >= self._segment_bytes:
            self._file = self._next_segment()
        self._file.write(record)
        self._offset += len(record)
        self._written += len(record)

    def _next_segment(self) -> BinaryIO:
        if self._file is not None:
            self._file.close()
        path = self._directory / f"log.{self._offset:016d}"
        self._written = 0
        self._segments.append(path)
        while len(self._segments) > 4:
            self._segments.popleft().unlink(missing_ok=True)
        return path.open("wb", buffering=0)


def read_log(directory: Path, after: int, max_lines: int) -> tuple[list[tuple[int, str, str]], int]:
    """Reads lines from an offset on.

    Args:
        directory: where a LogWriter writes, or wrote.
        after: the offset of an earlier call; an offset that rotation removed means the first one kept.
        max_lines: at most this many.

    Returns:
        The lines as (unix milliseconds, stream, text), and the offset to go on from.
    """
    segments = sorted((int(match[1]), path) for path in directory.iterdir() if (match := _SEGMENT.fullmatch(path.name)))
    found: list[tuple[int, str, str]] = []
    for position, (start, path) in enumerate(segments):
        last = position == len(segments) - 1
        if not last and segments[position + 1][0] <= after:
            continue
        after = max(after, start)
        with contextlib.suppress(FileNotFoundError), path.open("rb") as file:
            file.seek(after - start)
            for record in file:
                if len(found) >= max_lines:
                    return found, after
                if not record.endswith(b"\n"):  # the writer is in the middle of it
                    break
                after += len(record)
                found.append(_parse(record))
    return found, after


def _parse(record: bytes) -> tuple[int, str, str]:
    at, letter, text = record[:-1].decode("utf-8", "replace").split(" ", 2)
    return int(at), STREAMS.get(letter, "platform"), text
