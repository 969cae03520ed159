"""The comparison of proxies still runs from end to end: the cheapest of it, against nginx."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bench.router_overhead import certificate, idle, latency, peers
from bench.router_overhead.programs import found
from bench.router_overhead.upstream import App

ROOT = Path(__file__).parents[3]
needs_nginx = pytest.mark.skipif(not found("nginx"), reason="nginx is not here, which is the app behind the proxies")
needs_wrk = pytest.mark.skipif(not shutil.which("wrk"), reason="wrk is not here, which makes the load")


@needs_nginx
@needs_wrk
def test_shapes_are_measured_and_compared(tmp_path: Path) -> None:
    file = tmp_path / "out.json"
    command = [sys.executable, "-m", "bench.router_overhead", "--quick", "--no-install", "--peers", "nginx"]
    command += ["--only", "browser", "--json", str(file)]
    done = subprocess.run(command, check=False, cwd=ROOT, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    assert "### Goals" in done.stdout
    content = json.loads(file.read_text())
    named = {one["name"]: one for one in content["figures"]}
    ratio = named["GET 1 KB, browser heads / ours pure / requests per CPU-second relative to nginx"]
    assert ratio["value"] > 0
    assert (ratio["goal"], ratio["met"]) == (0.7, ratio["value"] >= 0.7)
    assert content["samples"]["shapes"]["GET 1 KB, browser heads / nginx"][0]["errors"] == 0


@needs_nginx
def test_latency_and_idle_connections_are_measured(tmp_path: Path) -> None:
    ours = next(one for one in peers.peers([], ())[0] if one.name == peers.PURE)
    app = App(tmp_path, install=False)
    try:
        ours.start(tmp_path, app.port, certificate.make(tmp_path))
        assert ours.cpu_ns() > 0
        seen = latency.at_rate(ours.port, rate=200, seconds=0.5)
        assert (seen.errors, seen.requests > 50, seen.p99_us >= seen.p50_us > 0) == (0, True, True)
        memory, each = idle.measured(ours, 100)
        assert memory.rss > memory.own > 0
        assert each < 100
    finally:
        ours.stop()
        app.stop()
