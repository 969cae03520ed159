"""Measures our router and its peers in turns: `python -m bench.router_overhead [--quick] [--json FILE]`.

Each proxy has one worker on one core; load and app share another. CPU is what the scheduler counted for all processes
of a proxy. Unmet goals are printed as such and are no failure of the bench.
"""

from __future__ import annotations

import argparse
import contextlib
import signal
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any, Final

import orjson

from bench.report import Figure, content, write
from bench.router_overhead import certificate, figures, measure, render, tables
from bench.router_overhead.certificate import Certificate
from bench.router_overhead.configs import ALL
from bench.router_overhead.latency import GENTLE, HIGHEST
from bench.router_overhead.measure import MAIN, Found
from bench.router_overhead.peers import Peer, compiled, peers
from bench.router_overhead.plan import Plan, plan
from bench.router_overhead.processes import cores, take_load_core
from bench.router_overhead.programs import DEBIAN, needed, version
from bench.router_overhead.shapes import GET
from bench.router_overhead.upstream import App

_HERE: Final = Path(__file__).parent


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.router_overhead", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer rounds and peers; ends within a minute")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every figure and every sample")
    parser.add_argument("--publish", action="store_true", help="write results.json, README tables and chart here")
    parser.add_argument("--tables", action="store_true", help="run bench/route_table too: 5 minutes more")
    parser.add_argument("--only-tables", action="store_true", help="nothing else, and renew them in what is published")
    parser.add_argument("--peers", default=",".join(ALL), metavar="NAMES", help="of " + ", ".join(ALL))
    parser.add_argument("--only", default="", metavar="TEXT", help="only shapes whose name has this in it")
    parser.add_argument("--no-install", action="store_true", help="use what is here and leave out the rest")
    options = parser.parse_args()
    options.names = [name for name in options.peers.split(",") if name]
    if unknown := set(options.names) - set(ALL):
        parser.error(f"unknown peers: {', '.join(sorted(unknown))}")
    return options


def main() -> None:
    """Runs the bench."""
    options = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was started is ended
    if options.only_tables:
        _renew_tables()
        return
    length, found = plan(options.quick), Found()
    for program in ("nginx", "wrk"):
        needed(program, install=not options.no_install)
    make = _maker(options, found)
    if cores()[0] == cores()[1]:
        found.note("a core for the load alone: there is only one here, so requests per second and latency mean little")
    take_load_core()
    with tempfile.TemporaryDirectory(prefix="shipoff-bench-") as scratch:
        made = _measured(found, make, length, options, Path(scratch))
    result = content(made, notes=found.notes, versions=_versions(options.names), samples=_raw(found))
    for text in render.summary(result):
        print(text)
    if options.json:
        write(result, options.json)
    if options.publish:
        write(result, _HERE / "results.json")
        render.write(_HERE / "results.json")


def _renew_tables() -> None:
    file = _HERE / "results.json"
    with tempfile.TemporaryDirectory(prefix="shipoff-bench-") as scratch:
        result = tables.renewed(orjson.loads(file.read_bytes()), Path(scratch))
    for text in render.summary(result):
        print(text)
    write(result, file)
    render.write(file)


def _maker(options: argparse.Namespace, found: Found) -> Callable[[], list[Peer]]:
    """Makes peers that are not started; says once which are missing. A quick run does not wait for large downloads."""
    may = () if options.no_install else DEBIAN if options.quick else ALL
    _, missing = peers(options.names, may)
    for name in missing:
        found.note(f"{name}: it is not here, and {'could not be' if name in may else 'was not to be'} installed")
    if not compiled():
        found.note("ours compiled: there is no compiled form here (make setup makes it when there is a C compiler)")
    return lambda: peers(options.names, ())[0]


def _measured(
    found: Found, make: Callable[[], list[Peer]], length: Plan, options: argparse.Namespace, scratch: Path
) -> list[Figure]:
    certificates = certificate.make(scratch)
    with contextlib.ExitStack() as running:
        app = App(scratch, not options.no_install)
        running.callback(app.stop)
        started = [one for one in make() if _start(one, found, scratch, app.port, certificates, running)]
        measure.shapes(found, started, length, options.only)
        rate = 0
        if not options.only:
            measure.memory(found, make, scratch, app.port, certificates, length)
            rate = _latency(found, started, app.port, length)
    made = figures.figures(found, rate)
    if not options.only:
        made += tables.figures(found, scratch, anew=options.tables)
    return made


def _start(
    peer: Peer, found: Found, scratch: Path, app: int, certificates: Certificate, running: contextlib.ExitStack
) -> bool:
    try:
        peer.start(scratch, app, certificates)
    except (OSError, RuntimeError) as error:
        found.note(f"{peer.name}: {str(error).strip()[-300:]}")
        return False
    running.callback(peer.stop)
    return True


def _latency(found: Found, started: Sequence[Peer], app: int, length: Plan) -> int:
    """Two rates: one that all can do, and half of what the slowest of the main ones can."""
    some = [one for one in started if one.name in MAIN]
    if length.left_s() < 0:
        found.note("latency at a fixed rate: out of time")
        return 0
    if length.every:
        measure.rates(found, started, app, GENTLE, min(3, length.rate_rounds), length)
    costs = [median(cpu) for one in some if (cpu := found.cpu_us(GET, one.name))]
    if not costs:
        return 0
    rate = min(HIGHEST, int(5e5 / max(costs) / 100) * 100)
    measure.rates(found, some, app, rate, length.rate_rounds, length)
    return rate


def _versions(names: Sequence[str]) -> dict[str, str]:
    return {name: version(name) for name in [*names, "wrk"]}


def _raw(found: Found) -> dict[str, Any]:
    """Every sample, for those who do not trust medians."""
    return {
        "shapes": {
            f"{shape} / {peer}": [{"cpu_ns": one.cpu_ns, "ticks": one.ticks, **asdict(one.counted)} for one in rounds]
            for (shape, peer), rounds in found.samples.items()
        },
        "rates": {
            f"{rate}/s / {peer}": [asdict(one) for one in rounds] for (rate, peer), rounds in found.rates.items()
        },
    }


if __name__ == "__main__":
    main()
