"""A constant load of visitors, each on a keep-alive connection of its own, that notes every request that went wrong."""

from __future__ import annotations

import http.client
import threading
import time
from dataclasses import dataclass, field

from bench.stack import connection

PAUSE_S = 0.02  # of a quick visitor, between two requests


@dataclass
class Visitors:
    """Visitors for the length of a block.

    Attributes:
        quick: how many ask for the start page, every 20 ms each.
        slow: how many ask for what takes a second and a half, one after the other.
        latencies_s: when a request of a quick visitor ended (time.monotonic), and how long it took.
        failures: what went wrong, in words.
    """

    url: str
    host: str
    quick: int = 6
    slow: int = 2
    latencies_s: list[tuple[float, float]] = field(default_factory=list)
    requests: int = 0
    failures: list[str] = field(default_factory=list)
    _over: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def __enter__(self) -> Visitors:
        paths = ["/"] * self.quick + ["/slow"] * self.slow
        self._threads = [threading.Thread(target=self._visit, args=(path,)) for path in paths]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def between(self, start: float, end: float) -> list[float]:
        """The latencies of the quick requests that ended in a span of time, in seconds."""
        return [took for at, took in list(self.latencies_s) if start <= at <= end]

    def _visit(self, path: str) -> None:
        asking = connection(self.url)
        while not self._over.is_set():
            began = time.monotonic()
            try:
                asking.request("GET", path, headers={"Host": self.host})
                answer = asking.getresponse()
                body = answer.read()
                if answer.status != 200:
                    self.failures.append(f"{path}: {answer.status} {body[:100]!r}")
            except (OSError, http.client.HTTPException) as error:
                self.failures.append(f"{path}: {type(error).__name__}: {error}")
                asking.close()
            ended = time.monotonic()
            self.requests += 1
            if path == "/":
                self.latencies_s.append((ended, ended - began))
                self._over.wait(PAUSE_S)
        asking.close()
