"""Load by wrk, in closed loop, on the load's core."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.router_overhead.programs import found

_SCRIPT: Final = Path(__file__).with_name("load.lua")
_END_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class Counted:
    """What one run of load saw.

    Attributes:
        size: bytes of answers.
        errors: requests without a good answer.
    """

    requests: int
    seconds: float
    size: int
    errors: int
    p50_us: float
    p99_us: float


@dataclass(frozen=True, slots=True)
class Load:
    """What is asked for.

    Attributes:
        kind: of the heads: plain (380 bytes), kept (the same, of hosts whose answers are cached) or browser (1,300).
        body: bytes of the request's body.
        close: a new connection for each request.
    """

    kind: str = "plain"
    method: str = "GET"
    path: str = "/"
    body: int = 0
    close: bool = False
    tls: bool = False
    connections: int = 64

    def run(self, port: int, seconds: float) -> Counted:
        """Loads the proxy on a port of the loopback interface from this process's core.

        Raises:
            RuntimeError: wrk did not finish its work.
        """
        scheme = "https" if self.tls else "http"
        argv = [found("wrk"), "-t1", f"-c{self.connections}", f"-d{int(seconds) + 5}s", "--timeout", "10s"]
        argv += ["-s", str(_SCRIPT), f"{scheme}://localhost:{port}", "--"]
        argv += [self.kind, self.method, self.path, str(self.body), "close" if self.close else "keep"]
        with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as wrk:
            time.sleep(seconds)
            wrk.send_signal(signal.SIGINT)  # it ends early and prints what it counted
            try:
                said, _ = wrk.communicate(timeout=_END_S)
            except subprocess.TimeoutExpired:
                os.kill(wrk.pid, signal.SIGKILL)
                raise RuntimeError("wrk does not end") from None
        return _read(said)


def _read(said: str) -> Counted:
    result = [line.split()[1:] for line in said.splitlines() if line.startswith("RESULT")]
    if not result:
        raise RuntimeError(f"wrk: {said[-1000:]}")
    requests, micros, size, errors, p50, p99 = map(int, result[0])
    return Counted(requests, micros / 1e6, size, errors, p50, p99)
