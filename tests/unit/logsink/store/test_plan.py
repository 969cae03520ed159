"""Which blocks become one."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from logsink.store.block import SPAN
from logsink.store.plan import FAN, FULL_RAW, TARGET_RAW, Meta, plan


def row(*sizes: int, level: int = 0, step: int = 10, first: int = 1) -> list[Meta]:
    """Neighbouring blocks of ten lines, `step` offsets apart."""
    return [Meta(first + n * step, first + n * step + 9, size, level) for n, size in enumerate(sizes)]


def test_a_few_small_blocks_are_left_alone_while_lines_come() -> None:
    assert plan(row(*[100] * (FAN - 1)), settled=False) == ([], [])


def test_enough_neighbours_of_a_level_become_one_of_the_next() -> None:
    blocks = row(*[100] * FAN)
    merges, seal = plan(blocks, settled=False)
    assert [(merge.blocks, merge.level, merge.sealed) for merge in merges] == [(blocks, 1, False)]
    assert seal == []


def test_levels_are_not_mixed_while_lines_come() -> None:
    blocks = row(*[1000] * 3, level=1) + row(*[100] * (FAN - 1), first=1000)
    assert plan(blocks, settled=False).merges == []


def test_a_quiet_deployment_becomes_one_block_whatever_the_levels() -> None:
    blocks = row(5000, level=2) + row(*[1000] * 3, level=1, first=1000) + row(100, 100, first=2000)
    merges, seal = plan(blocks, settled=True)
    assert [merge.blocks for merge in merges] == [blocks]
    assert not merges[0].sealed
    assert seal == []


def test_a_lone_block_of_a_quiet_deployment_stays_open_for_what_comes_tomorrow() -> None:
    assert plan(row(100), settled=True) == ([], [])


def test_a_block_that_is_full_is_sealed() -> None:
    blocks = row(FULL_RAW)
    assert plan(blocks, settled=False) == ([], blocks)


def test_blocks_are_merged_up_to_the_target_and_sealed() -> None:
    blocks = row(*[TARGET_RAW // 4] * 6)
    merges, _ = plan(blocks, settled=False)
    assert [(len(merge.blocks), merge.sealed) for merge in merges] == [(4, True), (2, True)]


def test_blocks_too_far_apart_are_never_merged() -> None:
    blocks = row(100, 100, 100, step=SPAN)
    merges, seal = plan(blocks, settled=True)
    assert merges == []
    assert seal == blocks[:2]  # the last may still get a neighbour


sizes = st.lists(st.tuples(st.integers(1, TARGET_RAW), st.integers(1, SPAN), st.integers(0, 3)), max_size=80)


@given(sizes, st.booleans())
def test_every_merge_is_of_neighbours_and_within_the_limits(drawn: list[tuple[int, int, int]], settled: bool) -> None:
    blocks, offset = [], 0
    for raw, distance, level in drawn:
        blocks.append(Meta(offset + distance, offset + distance, raw, level))
        offset += distance
    merges, seal = plan(blocks, settled=settled)
    touched = [one for merge in merges for one in merge.blocks] + seal
    assert len(touched) == len(set(touched))
    for merge in merges:
        start = blocks.index(merge.blocks[0])
        assert blocks[start : start + len(merge.blocks)] == list(merge.blocks)
        assert len(merge.blocks) > 1
        assert sum(one.raw_bytes for one in merge.blocks) <= TARGET_RAW
        assert merge.blocks[-1].last_offset - merge.blocks[0].first_offset < SPAN


def test_a_line_is_rewritten_a_few_times_not_once_a_pass() -> None:
    """10,000 blocks of 500 bytes, a pass after every one."""
    blocks: list[Meta] = []
    rewritten = 0
    for n in range(10_000):
        blocks.append(Meta(n, n, 500, 0))
        merges, seal = plan(blocks, settled=False)
        for merge in merges:
            raw = sum(one.raw_bytes for one in merge.blocks)
            rewritten += raw
            start = blocks.index(merge.blocks[0])
            made = Meta(merge.blocks[0].first_offset, merge.blocks[-1].last_offset, raw, merge.level)
            blocks[start : start + len(merge.blocks)] = [] if merge.sealed else [made]
        blocks = [one for one in blocks if one not in seal]
    assert rewritten < 4 * 10_000 * 500
    assert len(blocks) < 4 * FAN
