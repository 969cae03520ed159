"""Loads an installation and says how it answered: `python -m bench.load SCENARIO [--target URL] [--html FILE]`.

Arrivals follow a schedule that does not wait for answers, and latency counts from the intended start, so that a stall
is not hidden (coordinated omission). `python -m bench.load --list` names the scenarios.
"""

from __future__ import annotations

import argparse
import contextlib
import shlex
import sys
from pathlib import Path
from typing import Final

from bench.load import ceiling, demo, report, result
from bench.load.live import Progress, summary
from bench.load.run import Outcome, run
from bench.load.scenario import Refused, Scenario, library, load
from bench.load.target import Target, find
from bench.report import publish, show, write

_DEFAULT: Final = "http://127.0.0.1:8080"
_QUICK_S: Final = 5.0


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.load", description=__doc__)
    parser.add_argument("scenario", nargs="?", help="a name from --list, or a TOML file")
    parser.add_argument("--list", action="store_true", help="the scenarios that ship with the harness")
    parser.add_argument("--target", default=_DEFAULT, metavar="URL", help=f"where the load goes; {_DEFAULT} without")
    parser.add_argument("--host", default="", help="the Host header of all requests, such as blog.localhost")
    parser.add_argument(
        "--i-own", default="", metavar="HOST", help="states that HOST, which is not this machine, is yours"
    )
    parser.add_argument("--insecure", action="store_true", help="accept any certificate")
    parser.add_argument("--rate", type=float, metavar="N", help="the highest rate, arrivals per second; stages scale")
    parser.add_argument("--seconds", type=float, metavar="N", help="how long in all; stages and hooks scale")
    parser.add_argument(
        "--processes", type=int, default=0, metavar="N", help="client processes; half of the CPUs without"
    )
    parser.add_argument(
        "--seed", type=int, default=1, metavar="N", help="of the arrivals; the same seed, the same schedule"
    )
    parser.add_argument(
        "--hook",
        action="append",
        default=[],
        metavar="NAME=COMMAND",
        help="the command of a hook that the scenario names",
    )
    parser.add_argument("--html", type=Path, metavar="FILE", help="write the report with plots")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every figure, slice and histogram")
    parser.add_argument("--quick", action="store_true", help=f"{_QUICK_S:g} seconds")
    parser.add_argument("--demo", action="store_true", help="load an app of the harness's own instead of a target")
    parser.add_argument("--ceiling", action="store_true", help="measure what one client process can do, and end")
    return parser.parse_args()


def main() -> int:
    """Runs; the exit status is 2 for what is refused, 130 when it was interrupted."""
    options = arguments()
    try:
        if options.list:
            for name in library():
                print(f"{name:<12} {load(name).title}")
        elif options.ceiling:
            publish(ceiling.figures(1 if options.quick else 3), options.json)
        else:
            return _load(options)
    except Refused as refused:
        print(f"refused: {refused}", file=sys.stderr)
        return 2
    return 0


def _load(options: argparse.Namespace) -> int:
    if options.scenario is None:
        raise Refused(f"name a scenario: {', '.join(library())}, or a TOML file")
    seconds = options.seconds or (_QUICK_S if options.quick else None)
    scenario = load(options.scenario).changed(rate=options.rate, seconds=seconds, host=options.host)
    scenario = scenario.hooked(_hooks(options.hook))
    with demo.running() if options.demo else contextlib.nullcontext(0) as port:
        url = f"http://127.0.0.1:{port}" if port else options.target
        target = find(url, options.i_own, verify=not options.insecure)
        _announce(scenario, target)
        with Progress() as progress:
            outcome = run(
                scenario,
                target,
                count=max(0, options.processes),
                seed=options.seed,
                host=options.host,
                watch=progress,
            )
    _publish(outcome, options)
    return 130 if outcome.stopped else 0


def _hooks(given: list[str]) -> dict[str, tuple[str, ...]]:
    pairs = (one.partition("=") for one in given)
    return {name: tuple(shlex.split(command)) for name, _, command in pairs}


def _announce(scenario: Scenario, target: Target) -> None:
    rate = max(max(one.rate, one.to or 0) for one in scenario.stage)
    print(f"{scenario.title}: {target.url}, up to {rate:,.0f}/s for {scenario.seconds:g} s", file=sys.stderr)


def _publish(outcome: Outcome, options: argparse.Namespace) -> None:
    summary(outcome)
    show([one for one in result.figures(outcome) if one.goal is not None])
    for kind, count in sorted(result.whole(outcome).errors.items()):
        print(f"error: {count} × {kind}")
    for text in result.warnings(outcome):
        print(f"warning: {text}")
    if options.json:
        write(result.document(outcome), options.json)
    if options.html:
        options.html.write_text(report.page(outcome))
        print(f"report: {options.html}")


if __name__ == "__main__":
    sys.exit(main())
