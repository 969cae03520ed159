"""Deploys, rolls back, scales and tries canaries of an app with two instances, under a load that never pauses.

`python -m bench.deploy_under_load [--quick] [--json FILE]`. Starts a platform of its own. The baseline of the latencies
is the same load in the pauses between, in the same run.
"""

from __future__ import annotations

import argparse
import itertools
import random
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from bench.deploy_under_load.visitors import Visitors
from bench.report import Figure, content, show, write
from bench.stack import Platform, WorkingCopy, running

APP: Final = Path(__file__).with_name("app")
PROJECT: Final = "steady"
QUIET_S: Final = 1.0  # without a change, after each
FULL: Final = {"deploy": 50, "rollback": 20, "scale": 10, "canary": 5}
QUICK: Final = {"deploy": 5, "rollback": 2, "scale": 1, "canary": 1}


@dataclass
class Spans:
    """When something was changed, by what it was, and when nothing was; (start, end) of time.monotonic."""

    changes: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    quiet: list[tuple[float, float]] = field(default_factory=list)


class Owner:
    """Somebody who keeps changing an app."""

    def __init__(self, platform: Platform, copy: WorkingCopy) -> None:
        self._platform, self._copy = platform, copy
        self._versions, self._sizes = itertools.count(1), itertools.cycle((3, 2))
        self.deployments: list[str] = []

    def deploy(self) -> None:
        """Pushes a new version and waits until it is live."""
        page = self._copy.directory / "index.js"
        lines = [line for line in page.read_text().splitlines() if not line.startswith("const version")]
        page.write_text("\n".join([*lines[:2], f"const version = 'version {next(self._versions)}'", *lines[2:]]) + "\n")
        self._copy.commit("another version")
        self._copy.push()
        self.deployments.append(self._call("GET", "deployments")["deployments"][0]["id"])

    def rollback(self) -> None:
        """Brings back what served before."""
        self._follow({"kind": "rollback"})

    def canary(self) -> None:
        """Tries what served before on part of the requests."""
        before = next(one["id"] for one in self._call("GET", "releases")["releases"] if not one["live"])
        self._follow({"kind": "promote", "release": before, "canary": {"steps": [20, 60], "step_s": 2}})

    def scale(self) -> None:
        """Another number of instances."""
        size = next(self._sizes)
        self._call("POST", "scale", {"instances": size})
        self._until(lambda: self._ready() == size, f"{size} instances")

    def measured(self) -> dict[str, int]:
        """What the routers say of all switches together."""
        shown = [self._call("GET", f"deployments/{one}")["measured"] or {} for one in self.deployments]
        return {name: sum(one.get(name, 0) for one in shown) for name in ("requests", "retried", "held", "failed")}

    def _follow(self, wanted: dict[str, Any]) -> None:
        made = self._call("POST", "deployments", wanted)["id"]
        self.deployments.append(made)
        self._until(lambda: self._state(made) == "LIVE", f"{made} live")

    def _state(self, deployment: str) -> str:
        state = str(self._call("GET", f"deployments/{deployment}")["state"])
        if state in ("FAILED", "CANCELED", "SUPERSEDED"):
            raise RuntimeError(f"{deployment} is {state}")
        return state

    def _ready(self) -> int:
        live = next(one["id"] for one in self._call("GET", "releases")["releases"] if one["live"])
        listed = self._call("GET", "instances")["instances"]
        return sum(one["state"] == "ready" and one["release_id"] == live for one in listed)

    def _call(self, method: str, path: str, body: object = None) -> Any:
        return self._platform.call(method, f"/v1/projects/{PROJECT}/{path}", body)

    @staticmethod
    def _until(condition: Callable[[], bool], what: str) -> None:
        give_up = time.monotonic() + 120
        while not condition():
            if time.monotonic() > give_up:
                raise RuntimeError(f"never: {what}")
            time.sleep(0.02)


def order(counts: dict[str, int]) -> Iterator[str]:
    """The changes, mixed, a deployment first: the same in every run."""
    changes = [name for name, count in counts.items() for _ in range(count)]
    changes.remove("deploy")
    random.Random(4).shuffle(changes)
    return itertools.chain(["deploy"], changes)


def measure(counts: dict[str, int]) -> tuple[list[Figure], list[str]]:
    """The figures, and what went wrong."""
    scratch_dir = tempfile.TemporaryDirectory(prefix="shipoff-bench-")
    with scratch_dir as scratch, running(Path(scratch) / "stack", SHIPOFF_ORCHESTRATOR_WARM_S="20") as platform:
        platform.call("POST", "/v1/projects", {"name": PROJECT})
        owner = Owner(platform, WorkingCopy(platform, PROJECT, APP, Path(scratch) / "app"))
        owner.deploy()
        owner.deploy()
        spans = Spans()
        with Visitors(platform.router, f"{PROJECT}.localhost") as visitors:
            for change in order(counts):
                began = time.monotonic()
                getattr(owner, change)()
                ended = time.monotonic()
                spans.changes.setdefault(change, []).append((began, ended))
                time.sleep(QUIET_S)
                spans.quiet.append((ended, time.monotonic()))
        return figures(visitors, spans, owner.measured()), visitors.failures


def figures(visitors: Visitors, spans: Spans, measured: dict[str, int]) -> list[Figure]:
    """What is published."""
    changing = [took for one in spans.changes.values() for span in one for took in visitors.between(*span)]
    quiet = sorted(took for span in spans.quiet for took in visitors.between(*span))
    made = [
        Figure.of("failed requests", [len(visitors.failures)], "", at_most=0),
        Figure.of("requests", [visitors.requests], ""),
        Figure.of("retried by the routers", [measured["retried"]], ""),
        Figure.of("held by the routers", [measured["held"]], ""),
        Figure.of("latency p50 during changes", [_at(changing, 0.5) * 1000], "ms", baseline=_at(quiet, 0.5) * 1000),
        Figure.of("latency p99 during changes", [_at(changing, 0.99) * 1000], "ms", baseline=_at(quiet, 0.99) * 1000),
    ]
    for name, one in spans.changes.items():
        made.append(Figure.of(f"{name} ({len(one)} times)", [end - start for start, end in one], "s"))
    return made


def _at(values: list[float], share: float) -> float:
    ranked = sorted(values) or [0.0]
    return ranked[min(len(ranked) - 1, int(share * len(ranked)))]


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.deploy_under_load", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="5 deploys, 2 rollbacks, 1 scale change, 1 canary")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    made, failures = measure(QUICK if options.quick else FULL)
    show(made)
    for failure in failures[:20]:
        print(f"  failed: {failure}")
    if options.json is not None:
        write(content(made, failures=failures[:100]), options.json)


if __name__ == "__main__":
    main()
