"""Pushes a changed static site over and over and watches the router for the new content.

`python -m bench.push_to_live [--quick] [--json FILE]`. Starts a platform of its own. The baseline is the same push of a
tag, which is not deployed: what git and the gateway cost by themselves.
"""

from __future__ import annotations

import argparse
import re
import tempfile
import threading
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from bench.report import Figure, publish
from bench.stack import Platform, WorkingCopy, connection, running

EXAMPLE = Path(__file__).parents[2] / "examples" / "static-html"
GOAL_S = 1.5
PROJECT = "pushed"


@dataclass(frozen=True)
class Sample:
    """One push: seconds of the whole command, from the pack's arrival to the content, and of each stage."""

    push_s: float
    live_s: float
    stages: dict[str, float]


class Site(WorkingCopy):
    """The example, whose message changes with every commit."""

    def change(self, message: str) -> None:
        """Commits another message."""
        page = self.directory / "index.html"
        page.write_text(re.sub(r'<p id="message">[^<]*', f'<p id="message">{message}', page.read_text()))
        self.commit(message)

    def timed_push(self, ref: str) -> float:
        """Pushes; seconds of the whole command."""
        began = time.monotonic()
        self.push(ref)
        return time.monotonic() - began


def watch(platform: Platform, text: str, found: list[float]) -> None:
    """Asks the router until the text is served; notes when, in unix time."""
    asking = connection(platform.router)
    give_up = time.monotonic() + 60
    while time.monotonic() < give_up:
        asking.request("GET", "/", headers={"Host": f"{PROJECT}.localhost"})
        if text in asking.getresponse().read().decode():
            found.append(time.time())
            return
        time.sleep(0.002)


def sample(platform: Platform, site: Site, number: int) -> Sample:
    """One change, pushed and watched."""
    site.change(str(number))
    found: list[float] = []
    watching = threading.Thread(target=watch, args=(platform, f'<p id="message">{number}<', found))
    watching.start()
    push_s = site.timed_push("main")
    watching.join()
    newest = platform.call("GET", f"/v1/projects/{PROJECT}/deployments")["deployments"][0]
    arrived = datetime.fromisoformat(newest["created_at"]).timestamp()
    return Sample(push_s, found[0] - arrived, {name: ms / 1000 for name, ms in newest["timings_ms"].items()})


def measure(count: int) -> list[Figure]:
    """The figures of `count` pushes, in turns with pushes that deploy nothing."""
    with tempfile.TemporaryDirectory(prefix="shipoff-bench-") as scratch, running(Path(scratch) / "stack") as platform:
        platform.call("POST", "/v1/projects", {"name": PROJECT})
        site = Site(platform, PROJECT, EXAMPLE, Path(scratch) / "site")
        for warm in range(2):
            sample(platform, site, warm)
        samples, plain = [], []
        for number in range(2, 2 + count):
            samples.append(sample(platform, site, number))
            plain.append(site.timed_push(f"main:refs/tags/side-{number}"))
    baseline = sorted(plain)[len(plain) // 2]
    figures = [
        Figure.of("pack arrived to new content served", [s.live_s for s in samples], "s", at_most=GOAL_S),
        Figure.of("whole git push", [s.push_s for s in samples], "s", baseline=baseline),
    ]
    stages = {name: [s.stages.get(name, 0.0) for s in samples] for name in samples[0].stages}
    return figures + [Figure.of(f"stage {name}", values, "s") for name, values in stages.items()]


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.push_to_live", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few pushes; ends within a minute")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    publish(measure(5 if options.quick else 30), options.json)


if __name__ == "__main__":
    main()
