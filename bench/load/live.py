"""What is seen while a run goes on: a table that moves on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import IO, Final

from rich.console import Console
from rich.live import Live
from rich.table import Table

from bench.load.result import PERCENTILES, whole
from bench.load.run import Outcome
from bench.load.tally import Lane

_EVERY_S: Final = 1.0
_RECENT_S: Final = 5.0
_WIDTH: Final = 120


class Progress:
    """Shows a run; call it with the outcome so far and what hooks said."""

    def __init__(self, out: IO[str] = sys.stderr) -> None:
        self._out = out
        self._console = Console(file=out)
        self._live = Live(console=self._console, auto_refresh=False, transient=True) if out.isatty() else None
        self._shown = 0.0

    def __enter__(self) -> Progress:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        if self._live is not None:
            self._live.stop()

    def __call__(self, outcome: Outcome, said: list[str]) -> None:
        for line in said:
            self._console.print(f"[{outcome.seconds:5.1f} s] {line}", markup=False, highlight=False)
        now = time.monotonic()
        if self._live is not None:
            self._live.update(_table(outcome), refresh=True)
        elif now >= self._shown + _EVERY_S:
            self._shown = now
            print(_line(outcome), file=self._out, flush=True)


def _recent(outcome: Outcome, names: set[str]) -> Lane:
    """Some kinds in the last few seconds: a whole run's percentiles hardly move any more."""
    first = int((min(outcome.seconds, outcome.scenario.seconds) - _RECENT_S) / outcome.scenario.slice_s)
    lane = Lane()
    for number, lanes in outcome.tally.slices.items():
        if number >= first:
            for name, one in lanes.items():
                if name in names:
                    lane.merge(one)
    return lane


def _line(outcome: Outcome) -> str:
    total, recent = whole(outcome), _recent(outcome, {one.name for one in outcome.scenario.request})
    latency = "  ".join(f"p{q:g} {recent.latency.percentile(q) / 1000:.1f} ms" for q in (50, 99))
    return (
        f"{outcome.seconds:6.1f} of {outcome.scenario.seconds:g} s  {total.due:>8} due  {total.good:>8} good  "
        f"{total.failed:>6} errors  last {_RECENT_S:g} s: {latency}"
    )


def summary(outcome: Outcome, out: IO[str] = sys.stdout) -> None:
    """The whole run by kind, at its end."""
    table = Table(title=f"{outcome.scenario.title}: ms from the intended start", title_justify="left")
    for column in ("kind", "due", "good", "errors", *(f"p{percent:g}" for percent in PERCENTILES), "max"):
        table.add_column(column, justify="left" if column == "kind" else "right")
    lanes = [(name, outcome.tally.total(name)) for name in outcome.tally.names()]
    for name, lane in [*lanes, ("all requests", whole(outcome))] if len(lanes) > 1 else lanes:
        shown = [*(lane.latency.percentile(percent) for percent in PERCENTILES), lane.latency.largest]
        table.add_row(name, str(lane.due), str(lane.good), str(lane.failed), *[f"{us / 1000:.2f}" for us in shown])
    Console(file=out, width=None if out.isatty() else _WIDTH).print(table)


def _table(outcome: Outcome) -> Table:
    scenario = outcome.scenario
    title = f"{scenario.title}: {min(outcome.seconds, scenario.seconds):.1f} of {scenario.seconds:g} s"
    table = Table(title=title, title_justify="left")
    for column in ("kind", "due", "good", "errors", "p50 ms", "p99 ms", "max ms"):
        table.add_column(column, justify="left" if column == "kind" else "right")
    for name in outcome.tally.names():
        total, recent = outcome.tally.total(name), _recent(outcome, {name}).latency
        shown = [recent.percentile(50), recent.percentile(99), recent.largest]
        counts = [str(total.due), str(total.good), str(total.failed)]
        table.add_row(name, *counts, *[f"{us / 1000:.1f}" for us in shown])
    table.caption = f"percentiles of the last {_RECENT_S:g} s, from the intended start"
    return table
