"""The proxies that are compared: ours compiled and pure, and those of others that are here or can be installed."""

# environ: our router gets this process's environment with its settings added.
from __future__ import annotations

import contextlib
import http.client
import os
import sys
import time
from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import orjson

from bench.router_overhead.certificate import Certificate
from bench.router_overhead.configs import ALL, Command, Place
from bench.router_overhead.processes import Memory, Process, cores, free_port, listens, wait_for
from bench.router_overhead.programs import get

OURS: Final = "ours"
PURE: Final = "ours pure"
HOSTS: Final = 512
_TLS_S: Final = 1.0
_SERVES_S: Final = 10.0
_ROOT: Final = Path(__file__).parents[2]


@dataclass
class Peer:
    """A proxy that may run here.

    Attributes:
        name: as in the results.
        configure: writes its files; gives the command and what to add to the environment.
        tls: the port for HTTPS, 0 when it has none.
    """

    name: str
    configure: Callable[[Place], Command]
    port: int = 0
    tls: int = 0
    process: Process | None = field(default=None, repr=False)
    _directory: Path | None = field(default=None, repr=False)

    def start(self, directory: Path, upstream: int, certificate: Certificate) -> None:
        """Starts it on the proxy's core and waits until it listens.

        Raises:
            RuntimeError: it does not.
        """
        self._directory = directory / self.name.replace(" ", "-")
        self._directory.mkdir(parents=True, exist_ok=True)
        place = Place(self._directory, free_port(), free_port(), upstream, certificate)
        argv, env = self.configure(place)
        log = self._directory / "log"
        with log.open("wb") as file:
            self.process = Process(argv, cores()[0], file, env)
        try:
            wait_for(place.port, self.process, log)
            _until_it_serves(place.port)
        except BaseException:  # an interrupt too: what was started must not stay
            self.stop()
            raise
        self.port, self.tls = place.port, place.tls if listens(place.tls, _TLS_S) else 0

    def cpu_ns(self) -> int:
        """What its processes have used."""
        return self.process.cpu_ns() if self.process else 0

    def ticks(self) -> tuple[int, int]:
        """Of them in user and in kernel mode, in ticks."""
        return self.process.ticks() if self.process else (0, 0)

    def memory(self) -> Memory:
        """Of its processes."""
        return self.process.memory() if self.process else Memory(0, 0, 0)

    def trim(self) -> None:
        """Empties what it has logged, so that an hour of load does not fill the disk."""
        if self._directory and (log := self._directory / "access.log").exists():
            os.truncate(log, 0)

    def stop(self) -> None:
        """Ends it."""
        if self.process is not None:
            self.process.stop()
            self.process = None


def _until_it_serves(port: int) -> None:
    """Some listen before they have read their routes.

    Raises:
        RuntimeError: the app's answer does not come through.
    """
    give_up = time.monotonic() + _SERVES_S
    while time.monotonic() < give_up:
        with contextlib.suppress(OSError, http.client.HTTPException):
            asked = http.client.HTTPConnection("127.0.0.1", port, timeout=1)
            with contextlib.closing(asked):
                asked.request("GET", "/", headers={"Host": "site1.test"})
                if asked.getresponse().status == http.HTTPStatus.OK:
                    return
        time.sleep(0.02)
    raise RuntimeError(f"what listens on port {port} does not pass on the app's answer")


def table(path: Path, upstream: int) -> Path:
    """Writes a table for our router: hosts of one release, and as many whose answers are cached."""
    endpoint = {"address": f"tcp:127.0.0.1:{upstream}", "instance": "one", "weight": 1, "zone": ""}
    records: list[dict[str, object]] = [
        {"release": "rel_bench", "state": "running", "endpoints": [endpoint], "version": 1}
    ]
    own = {"path": "/", "kind": "dynamic", "environment": "production", "release": "rel_bench", "version": 1}
    names = ["localhost", *(f"site{number}.test" for number in range(HOSTS))]
    records += [{**own, "host": name, "project": f"prj_{number}"} for number, name in enumerate(names)]
    kept = {**own, "rules": {"cache": {}}}
    records += [{**kept, "host": f"kept{one}.test", "project": f"prj_{one}"} for one in range(HOSTS)]
    path.write_bytes(b"\n".join(map(orjson.dumps, records)))
    return path


def ours(pure: bool) -> Callable[[Place], Command]:
    """Our router with all that it does: metrics, access log, timeouts, request ids, identity headers."""

    def configure(place: Place) -> Command:
        file = table(place.directory / "table.jsonl", place.upstream)
        argv = [sys.executable, "-m", "router", "--table", str(file), "--listen", f"127.0.0.1:{place.port}"]
        env = {
            "SHIPOFF_ROUTER_PURE": "1" if pure else "",
            "SHIPOFF_ROUTER_ACCESS_LOG": str(place.directory / "access.log"),
            "SHIPOFF_ROUTER_LISTEN_TLS": f"127.0.0.1:{place.tls}",
            "SHIPOFF_ROUTER_TLS_CERTIFICATES": str(place.certificate.both),
            "SHIPOFF_ROUTER_DRAIN_S": "0",  # nobody waits for its answers when it is stopped
            "SHIPOFF_OWNER_PID": str(os.getpid()),
            "PYTHONPATH": str(_ROOT),
        }
        return [*argv, "--workers", "1"], env

    return configure


def compiled() -> bool:
    """Whether our router's compiled form is here."""
    import router

    return bool(getattr(router, "COMPILED", False))


def peers(wanted: Sequence[str], install: Container[str]) -> tuple[list[Peer], list[str]]:
    """Our router and the wanted peers, and the names of those left out.

    Args:
        install: the peers that may be installed.
    """
    found = [Peer(OURS, ours(False))] if compiled() else []
    found += [Peer(PURE, ours(True))]
    here = [name for name in wanted if get(name, name in install)]
    return found + [Peer(name, ALL[name]) for name in here], [name for name in wanted if name not in here]
