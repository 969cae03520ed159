"""The form of figures, and what charts are drawn with."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.report import Figure, content, publish, write
from bench.svg import Scale, element, ticks


@pytest.mark.parametrize(
    ("bound", "met"),
    [
        ({"at_most": 2}, True),
        ({"at_most": 1.9}, False),
        ({"at_least": 2}, True),
        ({"at_least": 2.1}, False),
        ({}, None),
    ],
)
def test_a_goal_is_an_upper_or_a_lower_bound(bound: dict[str, float], met: bool | None) -> None:
    figure = Figure.of("x", [1, 2, 30], "s", **bound)
    assert (figure.value, figure.goal, figure.met) == (2, next(iter(bound.values()), None), met)


def test_the_spread_is_half_of_what_lies_between_the_quartiles() -> None:
    assert Figure.of("x", [1, 2, 3, 4, 5, 6, 7], "s").spread == 2
    assert Figure.of("x", [3], "s").spread == 0


def test_an_unmet_goal_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    publish([Figure.of("slow", [3], "s", at_most=1)], None)
    assert "goal 1 NOT MET" in capsys.readouterr().out


def test_the_json_has_the_design_s_form(tmp_path: Path) -> None:
    file = tmp_path / "out.json"
    write(content([Figure.of("x", [1], "s")], notes=["n"]), file)
    found = json.loads(file.read_text())
    assert list(found["figures"][0]) == ["name", "value", "unit", "spread", "goal", "met", "baseline"]
    assert found["notes"] == ["n"]
    assert found["machine"]["cpus"] > 0


def test_elements_escape_what_they_are_given() -> None:
    assert element("text", text="a<b", class_="x", stroke_width=2.0) == '<text class="x" stroke-width="2">a&lt;b</text>'


def test_scales_map_by_proportion_and_by_logarithm() -> None:
    assert Scale(0, 10, 100, 200)(5) == 150
    assert Scale(1, 100, 0, 10, log=True)(10) == pytest.approx(5)


@pytest.mark.parametrize(("high", "count"), [(7, 4), (0.3, 5), (12_345, 6), (1, 1)])
def test_ticks_are_few_round_numbers_from_zero(high: float, count: int) -> None:
    found = list(ticks(high, count))
    assert found[0] == 0
    assert high * 0.49 < found[-1] <= high * 1.000001
    assert len(found) <= count + 1
