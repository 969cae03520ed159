"""The load harness against servers whose behaviour is known: what it says of them is so."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bench.load import demo, report, result
from bench.load.histogram import Histogram
from bench.load.run import Outcome, run
from bench.load.scenario import Scenario
from bench.load.target import Target, find

ROOT = Path(__file__).parents[3]
STALL_S = 0.8
RATE = 200


@pytest.fixture(scope="module")
def target() -> Iterator[Target]:
    with demo.running() as port:
        yield find(f"http://127.0.0.1:{port}")


def scenario(*requests: dict[str, Any], seconds: float = 0.5, rate: float = RATE, **more: Any) -> Scenario:
    return Scenario.model_validate(
        {"title": "Test", "stage": [{"seconds": seconds, "rate": rate}], "request": requests, "pace": "even", **more}
    )


def loaded(target: Target, *requests: dict[str, Any], count: int = 1, **more: Any) -> Outcome:
    return run(scenario(*requests, **more), target, count=count)


def command_run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "bench.load", *arguments]
    return subprocess.run(command, check=False, cwd=ROOT, capture_output=True, text=True, timeout=60)


def stalling(url: str) -> list[str]:
    """A command that has the server stand still."""
    code = f"import urllib.request as r; r.urlopen('{url}/stall/{int(STALL_S * 1000)}').read()"
    return [sys.executable, "-c", code]


def test_every_kind_of_request_is_answered(target: Target) -> None:
    kinds: list[dict[str, Any]] = [
        {"name": "page", "path": "/{n}", "weight": 5},
        {"name": "form", "method": "POST", "path": "/form", "body_bytes": 2000},
        {"name": "message", "kind": "websocket", "sockets": 4},
        {"name": "events", "kind": "stream", "path": "/events", "events": 4},
    ]
    outcome = loaded(target, *kinds, count=2, pace="poisson")
    total = result.whole(outcome)
    assert (total.failed, total.errors, outcome.stopped) == (0, {}, False)
    assert total.good == total.due > RATE / 4
    gaps = outcome.tally.total("events: gaps")
    assert gaps.good == 3 * outcome.tally.total("events").good > 0


def test_the_known_latency_of_a_server_is_found(target: Target) -> None:
    fast, slow = {"name": "fast", "path": "/"}, {"name": "slow", "path": "/slow/60"}
    outcome = loaded(target, fast, slow)
    slow_latency = outcome.tally.total("slow").latency
    assert slow_latency.percentile(1) >= 59_000  # uvloop's timers know milliseconds only
    assert outcome.tally.total("fast").latency.percentile(5) < slow_latency.percentile(5)


def test_a_stall_is_seen_by_all_who_came_while_it_lasted(target: Target) -> None:
    hook = {"name": "stall", "at_s": 0.5, "command": stalling("{target}")}
    open_loop = loaded(target, {"name": "page"}, seconds=2.5, hook=[hook]).tally.total().latency
    closed_loop = asyncio.run(closed(target, connections=2, seconds=2.5))
    half = int(STALL_S * 1e6 / 2)
    assert open_loop.above(half) >= RATE * STALL_S / 2 * 0.9  # those of the stall's first half waited that long
    assert open_loop.percentile(90) > half
    assert closed_loop.above(half) < open_loop.above(half) / 10  # one of each connection, whoever else would have come


async def closed(target: Target, connections: int, seconds: float) -> Histogram:
    """What a tool sees that waits for each answer before it sends the next request."""
    found, until = Histogram(), time.monotonic() + seconds

    async def user() -> None:
        reader, writer = await asyncio.open_connection(target.address, target.port)
        while time.monotonic() < until:
            began = time.monotonic_ns()
            writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            head = await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(int(head.lower().split(b"content-length: ")[1].split(b"\r")[0]))
            found.add((time.monotonic_ns() - began) // 1000)
        writer.close()

    async with asyncio.TaskGroup() as group:
        for _ in range(connections):
            group.create_task(user())
        await asyncio.sleep(0.5)
        process = await asyncio.create_subprocess_exec(*stalling(target.url))
        await process.wait()
    return found


def test_what_passes_its_deadline_counts_with_the_time_it_waited(target: Target) -> None:
    outcome = loaded(target, {"name": "page", "path": "/slow/5000"}, rate=20, timeout_s=0.3)
    total = outcome.tally.total()
    assert total.errors == {"timeout": total.due}
    assert total.latency.count == total.due
    assert total.latency.percentile(1) >= 300_000


def test_arrivals_without_room_are_errors_and_not_silence(target: Target) -> None:
    page = {"name": "page", "path": "/slow/400"}
    total = loaded(target, page, connections=2, waiting=5, timeout_s=5).tally.total()
    assert total.errors["too many waiting in the client"] > RATE / 4
    assert total.good + total.failed == total.due == RATE / 2


def test_a_target_that_is_not_there_is_told(target: Target) -> None:
    with demo.running() as port:
        gone = find(f"http://127.0.0.1:{port}")
    kinds = [{"name": "page"}, {"name": "events", "kind": "stream", "path": "/events"}]
    outcome = loaded(gone, *kinds, timeout_s=2)
    total = result.whole(outcome)
    assert "connection refused" in report.page(outcome)
    assert total.good == 0
    assert total.errors["connection refused"] > 0
    assert total.failed == total.due


def test_broken_answers_are_told_apart() -> None:
    answers = {
        b"/short": b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nshort",
        b"/silent": b"",
        b"/other": b"SSH-2.0-x\r\n\r\n",
        b"/error": b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n",
    }
    kinds = [{"name": path[1:].decode(), "path": path.decode()} for path in answers]
    outcome = asyncio.run(with_server(answers, scenario(*kinds, rate=100, timeout_s=5)))
    found = {name: list(outcome.tally.total(name).errors) for name in outcome.tally.names()}
    assert found == {
        "short": ["answer broke off"],
        "silent": ["closed without an answer"],
        "other": ["malformed answer"],
        "error": ["status 503"],
    }


async def with_server(answers: dict[bytes, bytes], what: Scenario) -> Outcome:
    """Runs a scenario against a server that gives fixed bytes for a path and closes."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        writer.write(answers[head.split(b" ")[1]])
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        target = find(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        return await asyncio.to_thread(run, what, target, count=1)


def test_hooks_run_and_end_with_the_run(target: Target) -> None:
    hooks = [
        {"name": "says", "command": ["sh", "-c", "echo {host} {target}; exit 3"]},
        {"name": "hangs", "at_s": 0.2, "command": ["sleep", "1000"]},
        {"name": "missing", "command": ["/no/such/program"]},
    ]
    outcome = loaded(target, {"name": "page"}, hook=hooks)
    says, missing, hangs = outcome.hooks
    assert (says.status, says.said.split()) == (3, ["127.0.0.1", target.url])
    assert (missing.status, missing.ended_s is not None) == (127, True)
    assert hangs.status not in (0, None)
    assert any("hook" in text for text in result.warnings(outcome))


def test_the_command_writes_json_and_a_report_that_needs_nothing_else(target: Target, tmp_path: Path) -> None:
    page, figures = tmp_path / "report.html", tmp_path / "run.json"
    command = ["static", "--target", target.url, "--rate", "100", "--seconds", "2"]
    done = command_run(*command, "--html", str(page), "--json", str(figures))
    assert done.returncode == 0, done.stderr
    assert "all requests" in done.stdout
    assert "last 5 s: p50" in done.stderr
    content = json.loads(figures.read_text())
    named = {one["name"]: one for one in content["figures"]}
    assert named["all / errors"]["value"] == 0
    assert sum(one["page"]["due"] for one in content["slices"] if "page" in one) > 0
    text = page.read_text()
    assert text.count("<svg") > 3
    assert not any(mark in text for mark in ("src=", "href=", "url(", "<script", "@import"))


def test_what_is_not_this_machine_is_refused() -> None:
    done = command_run("static", "--target", "http://192.0.2.1")
    assert done.returncode == 2
    assert "--i-own 192.0.2.1" in done.stderr


def test_the_report_shows_names_as_text(target: Target) -> None:
    outcome = loaded(target, {"name": "page"})
    evil = outcome.scenario.model_copy(update={"title": "<script>alert(1)</script>"})
    outcome.scenario = evil
    assert "<script" not in report.page(outcome)
