"""The form in which every bench says what it measured (design, section 13)."""

from __future__ import annotations

import os
import platform
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import orjson


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured number.

    Attributes:
        spread: half the distance between the quartiles, in the same unit.
        goal: what it should be, None when nobody said.
        met: whether the goal is reached, None without one.
        baseline: the same of what it is compared with in the same run, None without one.
    """

    name: str
    value: float
    unit: str
    spread: float
    goal: float | None = None
    met: bool | None = None
    baseline: float | None = None

    @classmethod
    def of(
        cls,
        name: str,
        samples: Sequence[float],
        unit: str,
        *,
        at_most: float | None = None,
        at_least: float | None = None,
        baseline: float | None = None,
    ) -> Figure:
        """The median of samples, and whether it is at most, or at least, the goal."""
        value = statistics.median(samples)
        quartiles = statistics.quantiles(samples, n=4) if len(samples) > 1 else [value] * 3
        goal = at_least if at_most is None else at_most
        met = None if goal is None else value <= goal if at_most is not None else value >= goal
        return cls(name, value, unit, (quartiles[2] - quartiles[0]) / 2, goal, met, baseline)


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    return {
        "system": platform.platform(),
        "cpu": _cpu(),
        "cpus": os.cpu_count(),
        "python": platform.python_version(),
        "load": os.getloadavg()[0],
    }


def content(figures: Sequence[Figure], **more: Any) -> dict[str, Any]:
    """The form of the JSON.

    Args:
        more: stands beside the figures: raw samples, versions, what was left out.
    """
    return {"machine": machine(), "figures": [asdict(one) for one in figures], **more}


def publish(figures: Sequence[Figure], file: Path | None) -> None:
    """Prints the figures, an unmet goal plainly, and writes them as JSON when a file is named."""
    show(figures)
    if file is not None:
        write(content(figures), file)


def show(figures: Sequence[Figure]) -> None:
    """Prints the figures, an unmet goal plainly."""
    for one in figures:
        goal = "" if one.goal is None else f"  goal {one.goal:g} {'met' if one.met else 'NOT MET'}"
        baseline = "" if one.baseline is None else f"  baseline {one.baseline:.4g}"
        print(f"{one.name:<44} {one.value:>10.4g} ± {one.spread:.2g} {one.unit}{baseline}{goal}")


def write(made: dict[str, Any], file: Path) -> None:
    """Writes the JSON."""
    file.write_bytes(orjson.dumps(made, option=orjson.OPT_INDENT_2) + b"\n")


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())
