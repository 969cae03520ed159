"""Tables of 10,000 and 1,000,000 hosts: `bench/route_table` measures them; its figures are taken over as they are."""

# environ: the other bench runs with this process's environment, and is told which form of the router to take.
from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import orjson

from bench.report import Figure
from bench.router_overhead.measure import Found
from bench.router_overhead.peers import OURS, PURE, compiled
from bench.router_overhead.plan import Plan
from bench.router_overhead.processes import usable

_ROOT: Final = Path(__file__).parents[2]
_EFFECT_MS: Final = 5.0
_FIELDS: Final = ("name", "value", "unit", "spread", "goal", "met", "baseline")


def figures(found: Found, directory: Path, quick: bool, plan: Plan) -> list[Figure]:
    """Those of our router in each of its forms."""
    if not (_ROOT / "bench" / "route_table").is_dir():
        found.note("tables of 10k and 1M hosts: bench/route_table is not here")
        return []
    made: list[Figure] = []
    for name in [OURS, PURE] if compiled() else [PURE]:
        print(f"route table, {name}", file=sys.stderr, flush=True)
        try:
            made += [_named(name, one) for one in _run(directory, name == PURE, quick, plan.end_in_s())]
        except (OSError, subprocess.SubprocessError, KeyError, ValueError) as error:
            found.note(f"tables of 10k and 1M hosts, {name}: {str(error)[:300]}")
    return made


def _run(directory: Path, pure: bool, quick: bool, within_s: float) -> list[dict[str, Any]]:
    file = directory / f"table-{pure}.json"
    argv = [sys.executable, "-m", "bench.route_table", "--json", str(file), *(["--quick"] if quick else [])]
    environment = {**os.environ, "SHIPOFF_ROUTER_PURE": "1" if pure else ""}
    with subprocess.Popen(
        argv,
        cwd=_ROOT,
        env=environment,
        stdout=subprocess.DEVNULL,
        preexec_fn=all_cores,  # noqa: PLW1509 - no threads here
        start_new_session=True,
    ) as process:
        try:
            process.wait(max(1.0, within_s))
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # what it has started ends with it
    if process.returncode:
        raise ValueError(f"it ended with status {process.returncode}; its error is above")
    figures: list[dict[str, Any]] = orjson.loads(file.read_bytes())["figures"]
    return figures


def all_cores() -> None:
    """Undoes what this bench has done to itself: its own processes have one core, the other bench may use all."""
    os.sched_setaffinity(0, usable())


def _named(own: str, one: dict[str, Any]) -> Figure:
    values: dict[str, Any] = {name: one.get(name) for name in _FIELDS}
    if own == PURE and one["goal"] == _EFFECT_MS and "event to effect" in one["name"]:
        values["goal"], values["met"] = 2 * _EFFECT_MS, one["value"] <= 2 * _EFFECT_MS  # the pure form's goal (issue 3)
    values["name"] = f"route table / {own} / {one['name']}"
    return Figure(**values)
