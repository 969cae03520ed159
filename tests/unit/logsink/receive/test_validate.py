"""What a sender says becomes what the store takes, or is refused with a code."""

from __future__ import annotations

import pytest

from kernel.errors import ShipoffError
from logsink.lines import Line, Query
from logsink.receive import validate


def line(text: str, **fields: object) -> Line:
    return Line(5, "prj_a", "dep_1", "ins_1", "run", "stdout", text)._replace(**fields)  # type: ignore[arg-type]


def texts(*lines: Line) -> list[str]:
    return [one.text for one in validate.batch("p", 1, lines).lines]


def test_a_text_with_newlines_becomes_lines() -> None:
    assert texts(line("a\nb\r\nc\n"), line(""), line("\n"), line("\n\n")) == ["a", "b", "c", "", "", "", ""]


def test_an_offset_is_not_the_senders_to_choose() -> None:
    assert validate.batch("p", 1, [line("a", offset=99)]).lines[0].offset == 0


def test_a_line_without_a_time_gets_one() -> None:
    made = validate.batch("p", 1, [line("a", at_ns=0), line("b", at_ns=-7), line("c")]).lines
    assert made[0].at_ns > 10**18
    assert made[1].at_ns > 10**18
    assert made[2].at_ns == 5


@pytest.mark.parametrize("character", ["a", "é", "…", "🚢"])
def test_a_long_line_is_cut_between_characters_and_says_by_how_much(character: str) -> None:
    width = len(character.encode())
    (cut,) = texts(line("x" + character * 100_000))
    head, _, marker = cut.partition(" … [")
    kept = len(head.encode())
    assert validate.LINE_BYTES - width < kept <= validate.LINE_BYTES
    assert marker == f"{1 + 100_000 * width - kept} bytes cut]"
    assert set(head[1:]) == {character}


def test_a_line_at_the_limit_is_whole() -> None:
    assert texts(line("é" * (validate.LINE_BYTES // 2))) == ["é" * (validate.LINE_BYTES // 2)]


def test_lines_that_newlines_make_count() -> None:
    with pytest.raises(ShipoffError) as refused:
        validate.batch("p", 1, [line("\n" * (validate.BATCH_LINES + 2))])
    assert refused.value.code == "LOG_BATCH_TOO_LARGE"


def test_an_empty_batch_is_a_batch() -> None:
    assert validate.batch("p", 1, []).lines == []


@pytest.mark.parametrize(
    "wrong",
    [
        line("a", project_id="two words"),
        line("a", project_id="\x00"),
        line("a", deployment_id="é"),
        line("a", instance_id="\n"),
        line("a", source=""),
        line("a", stream="STDOUT"),
    ],
)
def test_a_wrong_name_is_refused(wrong: Line) -> None:
    with pytest.raises(ShipoffError) as refused:
        validate.batch("p", 1, [line("good"), wrong])
    assert refused.value.code == "LOG_BATCH_INVALID"
    assert refused.value.status == 400


def test_a_query_names_what_is_wrong() -> None:
    with pytest.raises(ShipoffError, match="source must be one of build, run"):
        validate.query(Query("prj_a", source="stdout"))
    assert validate.query(Query("prj_a", "dep_1", "build", 7, 100)) == Query("prj_a", "dep_1", "build", 7, 100)
