"""The report's plots, as SVG text that takes its colours from the page."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from bench.load.hooks import Run
from bench.load.run import Outcome
from bench.load.tally import Lane
from bench.svg import Scale, element, ticks

_WIDTH: Final = 1000
_HEIGHT: Final = 300
_LEFT: Final = 64
_RIGHT: Final = 16
_TOP: Final = 18
_BOTTOM: Final = 36
_NINES: Final = (0.0, 50.0, 90.0, 99.0, 99.9, 99.99, 99.999)
LINES: Final = (("p50", 50.0), ("p90", 90.0), ("p99", 99.0), ("p99.9", 99.9), ("max", 100.0))


@dataclass(frozen=True, slots=True)
class Moment:
    """A slice of time, all kinds of requests together."""

    begin_s: float
    seconds: float
    lane: Lane

    def said(self) -> str:
        """For the pointer that rests on it."""
        lane = self.lane
        shown = "  ".join(f"{name} {milliseconds(lane.latency.percentile(percent))}" for name, percent in LINES)
        errors = "".join(f"\n{count} × {kind}" for kind, count in sorted(lane.errors.items()))
        return f"{self.begin_s:.1f} s: {lane.due} due, {lane.good} good\n{shown}{errors}"


def moments(outcome: Outcome) -> list[Moment]:
    """The slices that had arrivals."""
    kinds = {one.name for one in outcome.scenario.request}
    made, length = [], outcome.scenario.slice_s
    for number, lanes in sorted(outcome.tally.slices.items()):
        lane = Lane()
        for name, one in lanes.items():
            if name in kinds:
                lane.merge(one)
        if lane.due:
            made.append(Moment(number * length, min(length, outcome.scenario.seconds - number * length), lane))
    return made


def latency(outcome: Outcome) -> str:
    """Percentiles over time."""
    slices = moments(outcome)
    values = [one.lane.latency.percentile(percent) for one in slices for _, percent in LINES]
    y = _decades(values)
    x = Scale(0, outcome.scenario.seconds, _LEFT, _WIDTH - _RIGHT)
    parts = [*_log_grid(y), *_seconds(x), *_marks(x, outcome.hooks)]
    for name, percent in reversed(LINES):
        points = [(x(one.begin_s + one.seconds / 2), y(_floor(one.lane.latency.percentile(percent)))) for one in slices]
        parts.append(_line(points, f"q{name.replace('.', '')}"))
    return _plot([*parts, *_columns(x, slices)], "Latency percentiles over time")


def throughput(outcome: Outcome) -> str:
    """Arrivals and what became of them, by their intended start."""
    slices = [one for one in moments(outcome) if one.seconds > 0]
    highest = max((one.lane.due / one.seconds for one in slices), default=1.0)
    y = Scale(0, highest * 1.08, _HEIGHT - _BOTTOM, _TOP)
    x = Scale(0, outcome.scenario.seconds, _LEFT, _WIDTH - _RIGHT)
    parts = [*_grid(y, [(tick, f"{tick:,.0f}") for tick in ticks(highest, 4)]), *_seconds(x)]
    for one in slices:
        left, right = x(one.begin_s), x(one.begin_s + one.seconds)
        good, failed = one.lane.good / one.seconds, one.lane.failed / one.seconds
        for kind, low, high in (("good", 0.0, good), ("bad", good, good + failed)):
            if high > low:
                size: dict[str, Any] = {"width": max(1.0, right - left - 1), "height": y(low) - y(high)}
                parts.append(element("rect", x=left, y=y(high), class_=kind, **size))
    parts += _marks(x, outcome.hooks)
    parts.append(_line([(x(one.begin_s + one.seconds / 2), y(one.lane.due / one.seconds)) for one in slices], "due"))
    return _plot([*parts, *_columns(x, slices)], "Arrivals, good answers and errors per second")


def distribution(outcome: Outcome) -> str:
    """Latency by percentile, in nines, a line for each kind."""
    kinds = [(name, outcome.tally.total(name).latency) for name in outcome.tally.names()]
    kinds = [(name, one) for name, one in kinds if one.count]
    highest = max((one.count for _, one in kinds), default=1)
    last = max(percent for percent in _NINES if percent <= 90 or 100 / (100 - percent) <= highest)
    x = Scale(1, 100 / (100 - last), _LEFT, _WIDTH - _RIGHT, log=True)
    y = _decades([value for _, one in kinds for value in (one.percentile(1), float(one.largest))])
    parts = [*_log_grid(y)]
    for percent in _NINES[: _NINES.index(last) + 1]:
        at = x(100 / (100 - percent))
        parts.append(element("line", x1=at, x2=at, y1=_TOP, y2=_HEIGHT - _BOTTOM, class_="grid"))
        parts.append(_label(at, _HEIGHT - _BOTTOM + 18, f"{percent:g} %", "end" if percent == last else "middle"))
    for number, (_, one) in enumerate(kinds):
        parts.append(_line(list(_curve(one.steps(), one.count, x, y)), f"k{number % 8}"))
    return _plot(parts, "Latency by percentile")


def _curve(
    steps: Iterator[tuple[float, int]], count: int, x: Callable[[float], float], y: Callable[[float], float]
) -> Iterator[tuple[float, float]]:
    """A staircase without its flat parts: where the values stand at each percentile."""
    seen, right = 0, x(1)
    for value, here in steps:
        yield right, y(_floor(value))
        seen += here
        right = min(x(count / max(1e-9, count - seen)) if seen < count else math.inf, _WIDTH - _RIGHT)
        yield right, y(_floor(value))


def milliseconds(us: float) -> str:
    """A duration as people read it."""
    if us >= 1_000_000:
        return f"{us / 1e6:.3g} s"
    return f"{us / 1000:.3g} ms"


# --- parts of a plot --------------------------------------------------------------------------------------------------


def _plot(parts: Sequence[str], title: str) -> str:
    return element("svg", *parts, viewBox=f"0 0 {_WIDTH} {_HEIGHT}", role="img", aria_label=title)


def _decades(values: Sequence[float]) -> Scale:
    """Whole powers of ten around some durations."""
    some = [_floor(value) for value in values if value > 0] or [1_000.0]
    low, high = 10 ** math.floor(math.log10(min(some))), 10 ** math.ceil(math.log10(max(some) * 1.001))
    return Scale(low, max(high, low * 10), _HEIGHT - _BOTTOM, _TOP, log=True)


def _floor(us: float) -> float:
    return max(us, 10.0)


def _log_grid(y: Scale) -> list[str]:
    powers = range(round(math.log10(y.low)), round(math.log10(y.high)) + 1)
    return _grid(y, [(10.0**power, milliseconds(10.0**power)) for power in powers])


def _grid(y: Scale, labels: Sequence[tuple[float, str]]) -> list[str]:
    parts = []
    for value, text in labels:
        parts.append(element("line", x1=_LEFT, x2=_WIDTH - _RIGHT, y1=y(value), y2=y(value), class_="grid"))
        parts.append(_label(_LEFT - 8, y(value) + 4, text, "end"))
    return parts


def _seconds(x: Scale) -> list[str]:
    return [_label(x(tick), _HEIGHT - _BOTTOM + 18, f"{tick:g} s", "middle") for tick in ticks(x.high, 10)]


def _label(x: float, y: float, text: str, anchor: str) -> str:
    return element("text", text=text, x=x, y=y, text_anchor=anchor)


def _line(points: Sequence[tuple[float, float]], kind: str) -> str:
    return element("polyline", points=" ".join(f"{x:.1f},{y:.1f}" for x, y in points), class_=f"curve {kind}")


def _marks(x: Scale, hooks: Sequence[Run]) -> list[str]:
    """Where hooks ran: a band from begin to end, with the name."""
    parts = []
    for one in hooks:
        left, right = x(one.began_s), x(min(one.ended_s or x.high, x.high))
        size: dict[str, Any] = {"width": max(2.0, right - left), "height": _HEIGHT - _BOTTOM - _TOP}
        parts.append(element("rect", element("title", text=one.name), x=left, y=_TOP, class_="hook", **size))
        parts.append(_label(left + 3, _TOP - 5, one.name, "start"))
    return parts


def _columns(x: Scale, slices: Sequence[Moment]) -> Iterator[str]:
    """Invisible columns that say what is in them."""
    for one in slices:
        left = x(one.begin_s)
        size: dict[str, Any] = {"width": x(one.begin_s + one.seconds) - left, "height": _HEIGHT - _BOTTOM - _TOP}
        yield element("rect", element("title", text=one.said()), x=left, y=_TOP, class_="over", **size)
