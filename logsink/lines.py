"""What the log service speaks of: a line, a batch of them, a question about them.

`offset` counts the lines of one project in the order in which they became durable. It never goes back and is never
used twice, so whoever read up to an offset resumes behind it, whatever was compacted or expired meanwhile.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

BUILD: Final = "build"
RUN: Final = "run"
SYSTEM: Final = "system"
SOURCES: Final = frozenset({BUILD, RUN})
STREAMS: Final = frozenset({"stdout", "stderr", SYSTEM})


class Key(NamedTuple):
    """What the lines of one block share."""

    project_id: str
    deployment_id: str
    source: str


class Line(NamedTuple):
    """One line. A NamedTuple because hundreds of thousands of them are made in a second.

    Attributes:
        at_ns: unix time, by the clock of the machine that read the line.
        deployment_id: "" for lines of the platform about the project.
        instance_id: "" for build lines.
        source: "build" or "run".
        stream: "stdout", "stderr" or "system".
        text: without its newline.
        offset: 0 until stored.
    """

    at_ns: int
    project_id: str
    deployment_id: str
    instance_id: str
    source: str
    stream: str
    text: str
    offset: int = 0

    @property
    def key(self) -> Key:
        """Where the line is stored."""
        return Key(self.project_id, self.deployment_id, self.source)


@dataclass(frozen=True, slots=True)
class Batch:
    """What one Append brings: stored whole or not at all, and once however often it is sent.

    Attributes:
        producer: stable name of the sender.
        sequence: of this batch; no two batches of a producer share one.
        lines: in the order in which they were printed.
        size: bytes of text.
    """

    producer: str
    sequence: int
    lines: Sequence[Line]
    size: int


@dataclass(frozen=True, slots=True)
class Stored:
    """Lines of one project that one transaction made durable.

    Attributes:
        before: the project's last offset before them; another number than a reader expects means that it missed some.
        lines: in offset order, all offsets set.
    """

    project_id: str
    before: int
    lines: Sequence[Line]

    @property
    def last(self) -> int:
        """The project's last offset after them."""
        return self.before + len(self.lines)


@dataclass(frozen=True, slots=True)
class Query:
    """Which lines.

    Attributes:
        deployment_id: "" is every deployment.
        source: "" is every source.
        after_offset: only lines behind it.
        tail: of the stored ones only the last so many; 0 is all.
    """

    project_id: str
    deployment_id: str = ""
    source: str = ""
    after_offset: int = 0
    tail: int = 0

    def wants(self, line: Line) -> bool:
        """Whether a line of the project belongs to the answer, whatever its offset."""
        return (not self.deployment_id or line.deployment_id == self.deployment_id) and (
            not self.source or line.source == self.source
        )
