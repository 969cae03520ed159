"""`python -m tests.fuzz.crowd`: thousands of connections that send a byte a second, and what others feel of them.

Starts a router of its own with one worker, an app, and the crowd in a process of its own. Prints the latency of a
client that asks all the time, and what the worker holds, before, during and after. The bounds that it asserts are those
of the product: whoever does not finish a head in `head_s` is told so and leaves nothing behind.
"""

# environ: the router's process and the crowd's get this one's environment.
from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import socket
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from tests.integration.router.wire import Origin, Processes, endpoints, free_port, read_message, route

GET: Final = b"GET / HTTP/1.1\r\nHost: app.test\r\n\r\n"
HEAD_S: Final = 15
_BEATS: Final = 100


async def drip(port: int, count: int) -> None:
    """The crowd: every connection sends one byte a second of a head that does not end; reads what it is told."""
    loop, crowd = asyncio.get_running_loop(), list[socket.socket]()
    for _ in range(count):
        sock = socket.socket()
        sock.setblocking(False)
        await loop.sock_connect(sock, ("127.0.0.1", port))
        sock.send(b"GET / HTTP/1.1\r\nHost: app.test\r\nX: ")
        crowd.append(sock)
    print("here", flush=True)
    told = 0
    while crowd:
        for beat in range(_BEATS):
            for sock in crowd[beat::_BEATS]:
                try:
                    sock.send(b"y")
                    if b" 408 " in sock.recv(100):
                        told += 1
                except BlockingIOError:
                    continue
                except OSError:
                    pass
                sock.close()
            await asyncio.sleep(1 / _BEATS)
        crowd = [sock for sock in crowd if sock.fileno() >= 0]
    print(told, flush=True)


async def latencies(port: int, seconds: float) -> list[float]:
    """Milliseconds of one request after the other on a kept connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    seen, end = list[float](), time.monotonic() + seconds
    while time.monotonic() < end:
        start = time.perf_counter()
        writer.write(GET)
        await read_message(reader)
        seen.append((time.perf_counter() - start) * 1000)
        await asyncio.sleep(0.002)
    writer.close()
    return seen


def show(when: str, pid: int, seen: list[float]) -> None:
    """One line of figures."""
    memory = int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096 / 1e6
    files = sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())
    cuts = statistics.quantiles(seen, n=100) if len(seen) > 1 else [0.0] * 99
    print(f"{when:>8}: p50 {cuts[49]:6.2f} ms  p99 {cuts[98]:6.2f} ms  {memory:6.1f} MB  {files:6} descriptors")


async def run(count: int) -> None:
    """Measures before, during and after."""
    origin = await Origin(answer=b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").start()
    with tempfile.TemporaryDirectory(prefix="sc-") as scratch:
        table = Path(scratch) / "table.jsonl"
        table.write_text("".join(json.dumps(r) + "\n" for r in (route("app.test"), endpoints("rel_1", origin.address))))
        port, admin = free_port(), free_port()
        environment = {name: value for name, value in os.environ.items() if not name.startswith("SHIPOFF_")}
        environment |= {"SHIPOFF_OWNER_PID": str(os.getpid()), "TMPDIR": scratch}
        environment |= {"SHIPOFF_ROUTER_WORKERS": "1", "SHIPOFF_ROUTER_HEAD_S": str(HEAD_S)}
        arguments = ["--table", str(table), "--listen", f"127.0.0.1:{port}", "--admin", f"127.0.0.1:{admin}"]
        router = Processes(environment, arguments, port, admin)
        await router.start()
        pid = (await router.workers())[0]["pid"]
        show("before", pid, await latencies(port, 5))
        crowd = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.fuzz.crowd", "--connections", str(count), "--drip", str(port)),
            stdout=asyncio.subprocess.PIPE,
        )
        assert crowd.stdout is not None
        await crowd.stdout.readline()
        show("during", pid, await latencies(port, 5))
        told = int(await crowd.stdout.readline())
        await crowd.wait()
        show("after", pid, await latencies(port, 5))
        print(f"{told} of {count} were told that their head did not come in time")
        left = json.loads((await router.get("/debug/connections")).body)
        await router.stop()
        await origin.stop()
        assert told > 0.99 * count
        assert '"target": "/"' not in json.dumps(left)


def main() -> None:
    """Runs the measurement, or the crowd for it."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.crowd", description=__doc__)
    parser.add_argument("--connections", type=int, default=10_000)
    parser.add_argument("--drip", type=int, default=0, help=argparse.SUPPRESS)
    options = parser.parse_args()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    asyncio.run(drip(options.drip, options.connections) if options.drip else run(options.connections))


if __name__ == "__main__":
    main()
