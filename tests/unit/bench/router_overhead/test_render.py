"""The README's tables and the chart say what the JSON says."""

from __future__ import annotations

import xml.etree.ElementTree as ET

from bench.router_overhead import chart
from bench.router_overhead.render import HERE, placed, summary
from bench.router_overhead.results import Results


def test_tables_and_chart_are_those_of_the_results() -> None:
    results = Results.read(HERE / "results.json")
    readme = (HERE / "README.md").read_text()
    assert placed(readme, results) == readme, "run python -m bench.router_overhead.render"
    assert (HERE / "results.svg").read_text() == chart.draw(results)


def test_the_chart_is_sound_xml() -> None:
    ET.fromstring((HERE / "results.svg").read_text())


def test_an_unmet_goal_is_said_plainly() -> None:
    figure = {"name": "GET 1 KB / ours / x", "value": 0.9, "unit": "x", "spread": 0, "goal": 1, "met": False}
    machine = {"cpus": 2, "system": "s", "python": "3", "load": 0}
    content = {"machine": machine, "figures": [{**figure, "baseline": None}]}
    said = "\n".join(summary(content))
    assert "0 of 1 goals met" in said
    assert "NOT MET: GET 1 KB / ours / x: 0.9 ×, goal 1" in said
