"""Which small blocks are merged: decided by sizes alone, so it is tested without a database.

Every Append makes at least one block, and a block of one line is ten times its line. While a deployment writes, blocks
climb levels: FAN neighbours of one level become one of the next, so a line is rewritten about log_FAN(TARGET / its
block) times, not once a pass. When it has been quiet, what is left is merged whatever its level. A block that cannot
grow any more, or that is a day old, is sealed and never looked at again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from logsink.store.block import SPAN

FAN: Final = 16
TARGET_RAW: Final = 512 << 10  # bytes of columns; larger compresses no better, and a reader unpacks whole blocks
FULL_RAW: Final = TARGET_RAW // 2


class Meta(NamedTuple):
    """What the plan needs of a block."""

    first_offset: int
    last_offset: int
    raw_bytes: int
    level: int


class Merge(NamedTuple):
    """Neighbours that become one block."""

    blocks: Sequence[Meta]
    sealed: bool

    @property
    def level(self) -> int:
        """Of the block that they become."""
        return max(one.level for one in self.blocks) + 1


class Plan(NamedTuple):
    """What to do with the blocks of one key.

    Attributes:
        seal: blocks that stay as they are for good.
    """

    merges: list[Merge]
    seal: list[Meta]


def plan(blocks: Sequence[Meta], *, settled: bool) -> Plan:
    """Plans one key.

    Args:
        blocks: those that are not sealed, by first offset.
        settled: nothing was written for some time.
    """
    merges, seal = [], []
    for run, closed in _runs(blocks, by_level=not settled):
        final = closed or sum(one.raw_bytes for one in run) >= FULL_RAW
        if len(run) == 1:
            seal += run if final else []
        elif final or settled or len(run) >= FAN:
            merges.append(Merge(run, sealed=final))
    return Plan(merges, seal)


def _runs(blocks: Sequence[Meta], *, by_level: bool) -> Iterator[tuple[list[Meta], bool]]:
    """Neighbours that fit into one block, and whether the next one did not fit for its size or its distance."""
    run: list[Meta] = []
    raw = 0
    for one in blocks:
        fits = not run or (raw + one.raw_bytes <= TARGET_RAW and one.last_offset - run[0].first_offset < SPAN)
        if run and (not fits or (by_level and one.level != run[-1].level)):
            yield run, not fits
            run, raw = [], 0
        run.append(one)
        raw += one.raw_bytes
    if run:
        yield run, False
