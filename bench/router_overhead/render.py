"""Writes the tables of the README and the chart from the JSON, so that they cannot say different things.

`python -m bench.router_overhead.render [JSON]` writes both anew beside the JSON.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from bench.router_overhead import chart
from bench.router_overhead.peers import OURS, PURE
from bench.router_overhead.results import Figure, Results

HERE: Final = Path(__file__).parent
BEGIN: Final = "<!-- results: written by render.py -->"
END: Final = "<!-- end of results -->"


def text(results: Results) -> str:
    """All tables in Markdown."""
    parts = [
        _machine(results),
        _section("Goals", _goals(results)),
        _section("Work per CPU-second, relative to nginx and HAProxy (more is better)", _ratios(results)),
        _section("CPU per request in µs (10 MB: CPU seconds per GB)", _costs(results)),
        _section("Of that in the kernel", _kernel(results)),
        _section("Requests per second as seen (64 connections, closed loop)", _seen(results)),
        _section("Latency at a fixed rate, from the intended start (p50 / p99 in ms)", _latency(results)),
        _section("Memory", _memory(results)),
        _section("The route table", _tables(results)),
        _left_out(results),
    ]
    return "\n\n".join(part for part in parts if part)


def write(file: Path) -> None:
    """The README's tables and the chart beside a JSON file."""
    results = Results.read(file)
    file.with_suffix(".svg").write_text(chart.draw(results))
    readme = file.with_name("README.md")
    readme.write_text(placed(readme.read_text(), results))


def placed(readme: str, results: Results) -> str:
    """A README with the tables of these results."""
    before, begin, rest = readme.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the README has no {BEGIN} … {END}")
    return f"{before}{BEGIN}\n{text(results)}\n{END}{after}"


def _section(title: str, rows: Sequence[Sequence[str]]) -> str:
    if len(rows) < 2:
        return ""
    head, *body = ["| " + " | ".join(row) + " |" for row in rows]
    rule = "| " + " | ".join(["---", *["---:"] * (len(rows[0]) - 1)]) + " |"
    return "\n".join((f"### {title}", "", head, rule, *body))


def _machine(results: Results) -> str:
    machine = results.content["machine"]
    versions = ", ".join(f"{name} {number}" for name, number in results.content.get("versions", {}).items() if number)
    where = f"{machine['cpus']} × {machine.get('cpu') or 'CPU'}, {machine['system']}, Python {machine['python']}"
    return f"{where}; {versions}. Load average at the end: {machine['load']:.1f}."


def _goals(results: Results) -> list[list[str]]:
    rows = [["figure", "measured", "goal", "met"]]
    for one in results.goals():
        bound = "≥" if " per CPU-second relative to " in one["name"] else "≤"
        met = "yes" if one["met"] else "**no**"
        rows.append(
            [one["name"].replace(" / ", ", "), _value(one), f"{bound} {one['goal']:g} {_unit(one)}".strip(), met]
        )
    return rows


def _ratios(results: Results) -> list[list[str]]:
    pairs = [(own, peer) for own in (OURS, PURE) if own in results.peers() for peer in ("nginx", "haproxy")]
    rows = [["", *(f"{own} / {peer}" for own, peer in pairs)]]
    for shape in results.shapes():
        costs = results.costs(shape)
        cells = [
            f"{costs[peer]['value'] / costs[own]['value']:.2f}" if peer in costs and own in costs else "–"
            for own, peer in pairs
        ]
        rows.append([shape, *cells])
    return rows


def _costs(results: Results) -> list[list[str]]:
    peers = [peer for peer in results.peers() if peer != "direct"]
    rows = [["", *peers]]
    for shape in results.shapes():
        costs = results.costs(shape)
        rows.append([shape, *[_number(costs[peer]["value"]) if peer in costs else "–" for peer in peers]])
    return rows


def _kernel(results: Results) -> list[list[str]]:
    peers = [peer for peer in results.peers() if peer != "direct"]
    rows = [["", *peers]]
    for shape in results.shapes():
        parts = results.of_part(shape, "in the kernel")
        rows.append([shape, *[f"{parts[peer]['value']:.0f} %" if peer in parts else "–" for peer in peers]])
    return rows


def _seen(results: Results) -> list[list[str]]:
    peers = [peer for peer in results.peers() if peer != "direct"]
    rows = [["", *peers]]
    for shape in results.shapes():
        seen = results.of_part(shape, "requests per second") or results.of_part(shape, "messages per second")
        rows.append([shape, *[f"{seen[peer]['value']:,.0f}" if peer in seen else "–" for peer in peers]])
    return rows


def _latency(results: Results) -> list[list[str]]:
    parts = dict.fromkeys(part for part, _, _ in results.figures if part.startswith("fixed rate"))
    rows = [["", *results.peers()]]
    for part in parts:
        half, most = results.of_part(part, "p50"), results.of_part(part, "p99")
        pairs = [
            f"{half[peer]['value'] / 1e3:.2f} / {most[peer]['value'] / 1e3:.2f}" if peer in half else "–"
            for peer in results.peers()
        ]
        rows.append([part.removeprefix("fixed rate "), *pairs])
    return rows


def _memory(results: Results) -> list[list[str]]:
    measures = dict.fromkeys(name for part, _, name in results.figures if part == "memory")
    peers = [peer for peer in results.peers() if any(results.of_part("memory", name).get(peer) for name in measures)]
    rows = [["", *peers]]
    for name in measures:
        found = results.of_part("memory", name)
        rows.append([name, *[_value(found[peer]) if peer in found else "–" for peer in peers]])
    return rows


def _tables(results: Results) -> list[list[str]]:
    rows = [["", "measured", "baseline"]]
    for (part, peer, measure), one in results.figures.items():
        if part == "route table":
            baseline = "" if one["baseline"] is None else f"{_number(one['baseline'])} {_unit(one)}"
            rows.append([f"{peer}, {measure}", _value(one), baseline])
    return rows


def _left_out(results: Results) -> str:
    notes: list[str] = results.content.get("notes", [])
    return "\n".join(("Left out:", "", *(f"- {' '.join(note.split())}" for note in notes))) if notes else ""


def _value(one: Figure) -> str:
    spread = f" ± {_number(one['spread'])}" if one["spread"] else ""
    return f"{_number(one['value'])}{spread} {_unit(one)}".strip()


def _unit(one: Figure) -> str:
    return "×" if one["unit"] == "x" else str(one["unit"])


def _number(value: float) -> str:
    """Three digits, and no exponent."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def summary(content: dict[str, Any]) -> Iterator[str]:
    """What the command prints: the tables, and how many goals are met."""
    results = Results.of(content)
    yield text(results)
    goals = results.goals()
    yield f"\n{sum(bool(one['met']) for one in goals)} of {len(goals)} goals met"
    for one in goals:
        if not one["met"]:
            yield f"NOT MET: {one['name']}: {_value(one)}, goal {one['goal']:g}"


if __name__ == "__main__":
    write(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "results.json")
