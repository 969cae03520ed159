"""A block gives back exactly what went in."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from logsink.lines import Key, Line
from logsink.store import block

KEY = Key("prj_a", "dep_1", "run")

rows = st.lists(
    st.tuples(
        st.integers(min_value=1, max_value=2**62),
        st.sampled_from(["", "ins_1", "ins_2"]),
        st.sampled_from(["stdout", "stderr", "system"]),
        st.text(st.characters(exclude_categories=["Cs"]), max_size=80),
        st.integers(min_value=1, max_value=1000),
    ),
    min_size=1,
    max_size=50,
)


def lines_from(drawn: list[tuple[int, str, str, str, int]], first: int) -> list[Line]:
    lines, offset = [], first - drawn[0][4]
    for at_ns, instance, stream, text, step in drawn:
        offset += step
        lines.append(Line(at_ns, *KEY[:2], instance, KEY.source, stream, text, offset))
    return lines


@given(rows, st.integers(min_value=1, max_value=2**40))
def test_lines_survive_whatever_their_times_offsets_and_characters(
    drawn: list[tuple[int, str, str, str, int]], first: int
) -> None:
    lines = lines_from(drawn, first)
    made = block.encode(lines)
    assert block.decode(KEY, made.first_offset, made.body) == lines
    assert block.offsets(made.first_offset, made.body) == [line.offset for line in lines]


def test_a_block_says_what_it_holds() -> None:
    lines = [Line(at, *KEY[:2], "ins_1", "run", "stdout", "x", offset) for at, offset in [(30, 5), (10, 6), (20, 9)]]
    made = block.encode(lines)
    assert (made.key, made.first_offset, made.last_offset, made.lines) == (KEY, 5, 9, 3)
    assert (made.first_at_ns, made.last_at_ns) == (10, 30)


def test_lines_without_gaps_store_no_offsets() -> None:
    """The same block may be stored at any first offset, which is known only inside the transaction."""
    made = block.encode([Line(1, *KEY[:2], "", "run", "stdout", "x", offset) for offset in (5, 6, 7)])
    assert block.offsets(100, made.body) == [100, 101, 102]


def test_log_text_shrinks() -> None:
    lines = [
        Line(1_000_000 * n, *KEY[:2], "ins_1", "run", "stdout", f"GET /api/things/{n} 200 {n % 17} ms", n)
        for n in range(1, 5001)
    ]
    assert len(block.encode(lines).body) * 8 < sum(len(line.text) for line in lines)
