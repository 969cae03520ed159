"""The report of a run: one HTML file that needs nothing else, in which every plot is drawn already."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from string import Template
from typing import Final

import orjson

from bench.load import plots, result
from bench.load.plots import milliseconds
from bench.load.run import Outcome
from bench.load.tally import Lane
from bench.svg import element

_TEMPLATE: Final = Path(__file__).with_name("report.html")


def page(outcome: Outcome) -> str:
    """The HTML."""
    scenario, tally = outcome.scenario, outcome.tally
    names = [name for name in tally.names() if tally.total(name).latency.count]
    return Template(_TEMPLATE.read_text()).substitute(
        title=escape(scenario.title),
        subtitle=escape(_subtitle(outcome)),
        tiles=_tiles(outcome),
        warnings="".join(f'<div class="warning">{escape(text)}</div>' for text in result.warnings(outcome)),
        latency=plots.latency(outcome),
        latency_legend=_legend([(name, f"q{name.replace('.', '')}") for name, _ in plots.LINES], bool(outcome.hooks)),
        throughput=plots.throughput(outcome),
        throughput_legend=_legend([("arrivals", "due")], bool(outcome.hooks), [("good", "good"), ("errors", "bad")]),
        distribution=plots.distribution(outcome),
        distribution_legend=_legend([(name, f"k{number % 8}") for number, name in enumerate(names)], False),
        kinds=_kinds(outcome),
        errors=_errors(outcome),
        goals=_goals(outcome),
        hooks=_hooks(outcome),
        client=escape(_client(outcome)),
        scenario=escape(orjson.dumps(scenario.model_dump(mode="json"), option=orjson.OPT_INDENT_2).decode()),
    )


def _subtitle(outcome: Outcome) -> str:
    began = datetime.fromtimestamp(outcome.began_at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    arrivals = {"poisson": "independent arrivals (Poisson)", "even": "even arrivals"}[outcome.scenario.pace]
    return f"{outcome.target.url}, {began}, {outcome.scenario.seconds:g} s of {arrivals}"


def _tiles(outcome: Outcome) -> str:
    total, seconds = result.whole(outcome), outcome.scenario.seconds
    done = total.good + total.failed
    failed = 100 * total.failed / done if done else 0.0
    tiles = [
        (f"{total.due:,}", "requests due", ""),
        (f"{total.good / seconds:,.0f}/s", "good answers", ""),
        (milliseconds(total.latency.percentile(50)), "p50", ""),
        (milliseconds(total.latency.percentile(99)), "p99", ""),
        (milliseconds(total.latency.percentile(99.9)), "p99.9", ""),
        (milliseconds(total.latency.largest), "longest", ""),
        (f"{failed:.3g} %", f"errors ({total.failed:,})", " bad" if total.failed else ""),
    ]
    return "".join(f'<div class="tile{kind}"><b>{value}</b><span>{label}</span></div>' for value, label, kind in tiles)


def _legend(lines: Iterable[tuple[str, str]], hooks: bool, areas: Iterable[tuple[str, str]] = ()) -> str:
    marks = [(name, element("line", x1=0, x2=22, y1=5, y2=5, class_=f"curve {kind}")) for name, kind in lines]
    areas = [*areas, *([("a hook ran", "hook")] if hooks else [])]
    marks += [(name, element("rect", x=2, width=18, height=10, class_=kind)) for name, kind in areas]
    items = [f"<li>{element('svg', mark, viewBox='0 0 22 10')}{escape(name)}</li>" for name, mark in marks]
    return f'<ul class="legend">{"".join(items)}</ul>'


def _table(head: Sequence[str], rows: Iterable[Sequence[str]], kind: str = "wide") -> str:
    top = "".join(f"<th>{escape(cell)}</th>" for cell in head)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table class={kind}><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"


def _kinds(outcome: Outcome) -> str:
    head = ["kind", "due", "good", "errors", *[f"p{percent:g}" for percent in result.PERCENTILES], "longest"]
    rows = [_row(name, outcome.tally.total(name)) for name in outcome.tally.names()]
    return _table(head, [*rows, _row("all requests", result.whole(outcome))] if len(rows) > 1 else rows)


def _row(name: str, lane: Lane) -> list[str]:
    shown = [milliseconds(lane.latency.percentile(percent)) for percent in result.PERCENTILES]
    counts = [f"{lane.due:,}", f"{lane.good:,}", f"{lane.failed:,}"]
    return [escape(name), *counts, *shown, milliseconds(lane.latency.largest)]


def _errors(outcome: Outcome) -> str:
    errors = result.whole(outcome).errors
    if not errors:
        return '<p class="soft">None.</p>'
    most = max(errors.values())
    rows = [
        [escape(kind), f'<span class="bar" style="width:{max(2, 220 * count // most)}px"></span>{count:,}']
        for kind, count in sorted(errors.items(), key=lambda pair: -pair[1])
    ]
    return f'<div class="scroll">{_table(["kind", "count"], rows, "narrow")}</div>'


def _goals(outcome: Outcome) -> str:
    rows = [
        [escape(one.name), f"{one.value:.3g} {one.unit}", f"≤ {one.goal:g} {one.unit}", "met" if one.met else "NOT MET"]
        for one in result.figures(outcome)
        if one.goal is not None
    ]
    return f'<h2>Goals</h2><div class="scroll">{_table(["figure", "measured", "goal", ""], rows)}</div>' if rows else ""


def _hooks(outcome: Outcome) -> str:
    if not outcome.hooks:
        return ""
    rows = [
        [
            escape(one.name),
            f"{one.began_s:.1f} s",
            "–" if one.ended_s is None else f"{one.ended_s - one.began_s:.1f} s",
            "ended by the bench" if one.status is None or one.status < 0 else str(one.status),
        ]
        for one in outcome.hooks
    ]
    said = "\n\n".join(f"{one.name}, {one.began_s:.1f} s:\n{one.said.rstrip()}" for one in outcome.hooks if one.said)
    output = f"<details><summary>What they said</summary><pre>{escape(said)}</pre></details>" if said else ""
    table = _table(["what ran underneath", "began", "took", "exit"], rows)
    return f'<h2>Underneath</h2><div class="scroll">{table}</div>{output}'


def _client(outcome: Outcome) -> str:
    tally, many = outcome.tally, "processes" if outcome.processes > 1 else "process"
    return (
        f"{outcome.processes} {many}, {100 * result.busy(outcome):.0f} % of a core each; {tally.connections:,} "
        f"connections made, {tally.retries:,} requests sent again after an idle connection was closed under them; sent "
        f"{milliseconds(tally.late.percentile(50))} late at the median, "
        f"{milliseconds(tally.late.percentile(99))} at the 99th percentile."
    )
