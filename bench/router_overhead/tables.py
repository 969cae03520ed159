"""Tables of 10,000 and 1,000,000 hosts: `bench/route_table` measures them, a bench of its own.

So its figures are quoted from its own `results.json`, or, when asked for, it runs anew for each form of the router.
"""

# environ: the other bench runs with this process's environment, and is told which form of the router to take.
from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import orjson

from bench.report import Figure
from bench.router_overhead.measure import Found
from bench.router_overhead.peers import OURS, PURE, compiled
from bench.router_overhead.processes import usable

_ROOT: Final = Path(__file__).parents[2]
_QUOTED: Final = _ROOT / "bench" / "route_table" / "results.json"
_NAME: Final = "route table / "
_LONGEST_S: Final = 1_800.0
_EFFECT_MS: Final = 5.0
_FIELDS: Final = ("name", "value", "unit", "spread", "goal", "met", "baseline")


def figures(found: Found, directory: Path, anew: bool) -> list[Figure]:
    """Those of our router, measured or quoted."""
    if anew:
        forms = [OURS, PURE] if compiled() else [PURE]
        return [one for form in forms for one in _measured(found, directory, form)]
    try:
        quoted = _read(_QUOTED)
    except (OSError, KeyError, ValueError):
        found.note("tables of 10k and 1M hosts: bench/route_table/results.json is not here; --tables measures them")
        return []
    found.note("the route table was not measured in this run: its figures are those of bench/route_table/results.json")
    return [_named(OURS, one) for one in quoted]


def renewed(published: dict[str, Any], directory: Path) -> dict[str, Any]:
    """Published results with the tables measured anew.

    Args:
        published: as `bench.report.content` made them.
        directory: for scratch files.
    """
    found = Found()
    made = [asdict(one) for one in figures(found, directory, anew=True)]
    kept = [one for one in published["figures"] if not one["name"].startswith(_NAME)]
    notes = [note for note in published["notes"] if "table" not in note]
    again = "the route table was measured by itself, after the rest (--only-tables)"
    return {**published, "figures": [*kept, *made], "notes": [*notes, *found.notes, again]}


def _measured(found: Found, directory: Path, form: str) -> list[Figure]:
    print(f"route table, {form}", file=sys.stderr, flush=True)
    try:
        return [_named(form, one) for one in _run(directory, form == PURE)]
    except (OSError, subprocess.SubprocessError, KeyError, ValueError) as error:
        found.note(f"tables of 10k and 1M hosts, {form}: {str(error)[:300]}")
        return []


def _run(directory: Path, pure: bool) -> list[dict[str, Any]]:
    file = directory / f"table-{pure}.json"
    with subprocess.Popen(
        [sys.executable, "-m", "bench.route_table", "--json", str(file)],
        cwd=_ROOT,
        env={**os.environ, "SHIPOFF_ROUTER_PURE": "1" if pure else ""},
        stdout=subprocess.DEVNULL,
        preexec_fn=_all_cores,  # noqa: PLW1509 - no threads here
        start_new_session=True,
    ) as process:
        try:
            process.wait(_LONGEST_S)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # what it has started ends with it
    if process.returncode:
        raise ValueError(f"it ended with status {process.returncode}; its error is above")
    return _read(file)


def _all_cores() -> None:
    """Undoes what this bench has done to itself: its own processes have one core, the other bench may use all."""
    os.sched_setaffinity(0, usable())


def _read(file: Path) -> list[dict[str, Any]]:
    made: list[dict[str, Any]] = orjson.loads(file.read_bytes())["figures"]
    return made


def _named(form: str, one: dict[str, Any]) -> Figure:
    values: dict[str, Any] = {name: one.get(name) for name in _FIELDS}
    if form == PURE and one["goal"] == _EFFECT_MS and "event to effect" in one["name"]:
        values["goal"], values["met"] = 2 * _EFFECT_MS, one["value"] <= 2 * _EFFECT_MS  # the pure form's goal (issue 3)
    values["name"] = f"{_NAME}{form} / {one['name']}"
    return Figure(**values)
