"""Fifty clients make each of the ten commonest calls in turn: what they wait, and what each process spends on it.

`python -m bench.api [--quick] [--json FILE]`. Starts a platform of its own. Where the time goes is told by the CPU time
of each process and by how many statements each service sends to its database for one call. The baseline, in turns with
the calls, is the gateway's landing page, which asks no service.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import orjson

from bench.api.calls import BASELINE, Call, prepare
from bench.report import Figure, publish
from bench.stack import SHIPOFF, Platform, running

CLIENTS: Final = 50
P99_GOAL_MS: Final = 500.0  # 50 clients that never pause, on two cores which the clients need too
SERVICES: Final = ("gateway", "auth", "projects", "orchestrator", "logsink", "postgres", "valkey")
TICKS: Final = os.sysconf("SC_CLK_TCK")
STATEMENTS: Final = re.compile(r"^shipoff_database_statements_total (\S+)$", re.MULTILINE)


@dataclass
class Seen:
    """What all rounds of a call showed."""

    p50: list[float] = field(default_factory=list)
    p99: list[float] = field(default_factory=list)
    cpu_ms: dict[str, list[float]] = field(default_factory=lambda: {name: [] for name in SERVICES})
    statements: dict[str, float] = field(default_factory=dict)


class Meter:
    """Reads what the platform's processes have spent."""

    def __init__(self, platform: Platform) -> None:
        command = [*SHIPOFF, "status", "--json", "--dir", str(platform.directory)]
        status = orjson.loads(subprocess.run(command, check=True, capture_output=True, timeout=30).stdout)
        self._pids = {row["name"]: row["pid"] for row in status["services"] if row["name"] in SERVICES}
        self._admins = orjson.loads((platform.directory / "status.json").read_bytes())["admins"]

    def cpu_s(self) -> dict[str, float]:
        """User and system time by service, children included."""
        return {name: _spent(pid) for name, pid in self._pids.items()}

    def statements(self) -> dict[str, float]:
        """Sent to databases so far, by service."""
        return {name: _statements(self._admins[name]) for name in ("auth", "projects", "orchestrator", "logsink")}


def _spent(pid: int) -> float:
    """CPU seconds of a process, of its children that live, and of those that ended (proc_pid_stat(5))."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return 0.0  # it ended meanwhile, and counts as its parent's
    return sum(map(int, fields[11:15])) / TICKS + sum(_spent(int(child)) for child in children)


def _statements(admin: str) -> float:
    with urllib.request.urlopen(f"http://{admin}/metrics", timeout=10) as answer:
        found = STATEMENTS.search(answer.read().decode())
    return float(found[1]) if found else 0.0


def _head(platform: Platform, call: Call) -> bytes:
    body = b"" if call.body is None else orjson.dumps(call.body)
    lines = [
        f"{call.method} {call.path} HTTP/1.1",
        "Host: bench",
        f"Authorization: Bearer {platform.token}",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body


def measure_round(platform: Platform, meter: Meter, call: Call, seconds: float, seen: Seen) -> None:
    """Has all clients make one call for a while."""
    host, _, port = platform.gateway.removeprefix("http://").partition(":")
    command = [sys.executable, "-m", "bench.api.load", host, port, str(CLIENTS), str(seconds)]
    cpu, sent = meter.cpu_s(), meter.statements()
    done = subprocess.run(command, input=_head(platform, call), capture_output=True, check=True, timeout=seconds + 60)
    after_cpu, after_sent = meter.cpu_s(), meter.statements()
    told: dict[str, Any] = orjson.loads(done.stdout)
    if told["bad"]:
        raise RuntimeError(f"{call.name}: {told['bad']} answers were no success: {told['first']}")
    took, count = sorted(told["took_ms"]), len(told["took_ms"])
    seen.p50.append(took[count // 2])
    seen.p99.append(took[int(count * 0.99)])
    for name in seen.cpu_ms:
        seen.cpu_ms[name].append((after_cpu.get(name, 0.0) - cpu.get(name, 0.0)) * 1000 / count)
    seen.statements = {name: (after_sent[name] - sent[name]) / count for name in sent}


def figures(call: Call, seen: Seen, baseline: Seen) -> Iterator[Figure]:
    """Of one call."""
    goal = None if call is BASELINE else P99_GOAL_MS
    yield Figure.of(f"{call.name} / p50", seen.p50, "ms", baseline=_middle(baseline.p50))
    yield Figure.of(f"{call.name} / p99", seen.p99, "ms", at_most=goal, baseline=_middle(baseline.p99))
    whole = [sum(each) for each in zip(*seen.cpu_ms.values(), strict=True)]
    yield Figure.of(f"{call.name} / CPU", whole, "ms")
    for name, spent in seen.cpu_ms.items():
        if _middle(spent) >= 0.01:
            yield Figure.of(f"{call.name} / CPU of {name}", spent, "ms")
    for name, count in seen.statements.items():
        if count >= 0.5:
            yield Figure.of(f"{call.name} / statements of {name}", [round(count, 1)], "")


def _middle(samples: list[float]) -> float:
    return sorted(samples)[len(samples) // 2]


def measure(rounds: int, seconds: float) -> list[Figure]:
    """All figures."""
    with tempfile.TemporaryDirectory(prefix="shipoff-bench-") as scratch:
        # counted as ever, which is part of what a request costs, and never reached
        unlimited = {f"SHIPOFF_GATEWAY_RATE_{kind}": str(10**9) for kind in ("CREDENTIAL", "ADDRESS")}
        with running(Path(scratch) / "stack", **unlimited) as platform:
            calls = [BASELINE, *prepare(platform)]
            meter, seen = Meter(platform), {call.name: Seen() for call in calls}
            for _ in range(rounds):
                for call in calls:
                    measure_round(platform, meter, call, seconds, seen[call.name])
    return [figure for call in calls for figure in figures(call, seen[call.name], seen[BASELINE.name])]


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.api", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one short round; ends within a minute")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    publish(measure(1, 1.0) if options.quick else measure(5, 4.0), options.json)


if __name__ == "__main__":
    main()
