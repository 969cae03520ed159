"""The shapes of traffic, and what each is measured by."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from bench.router_overhead import websocket
from bench.router_overhead.load import Counted, Load
from bench.router_overhead.peers import Peer
from bench.router_overhead.upstream import SIZES

GET: Final = "GET 1 KB"
KEPT: Final = "GET 1 KB, from the cache"
_BIG: Final = SIZES["10m"]


@dataclass(frozen=True, slots=True)
class Shape:
    """One kind of traffic.

    Attributes:
        run: (proxy, seconds) -> what was counted.
        per_gb: CPU counts by the body's bytes, not by the request.
        body: bytes of each body then.
        tls: it needs the proxy's port for HTTPS.
        stretch: how many times longer than usual a sample is, so that enough bodies end within it.
        few: only ours, nginx and HAProxy take part, as the others keep no answers.
    """

    name: str
    run: Callable[[Peer, float], Counted]
    per_gb: bool = False
    body: int = 0
    tls: bool = False
    stretch: float = 1.0
    unit: str = "request"
    few: bool = False


def _load(load: Load) -> Callable[[Peer, float], Counted]:
    return lambda peer, seconds: load.run(peer.tls if load.tls else peer.port, seconds)


SHAPES: Final = (
    Shape(GET, _load(Load())),
    Shape(KEPT, _load(Load(kind="kept", path="/kept")), few=True),
    Shape("GET 1 KB, browser heads", _load(Load(kind="browser"))),
    Shape("POST 1 KB", _load(Load(method="POST", path="/upload", body=1024))),
    Shape("GET 100 KB", _load(Load(path="/100k"))),
    Shape("10 MB down", _load(Load(path="/10m", connections=4)), per_gb=True, body=_BIG, stretch=1.5),
    Shape(
        "10 MB up",
        _load(Load(method="POST", path="/upload", body=_BIG, connections=4)),
        per_gb=True,
        body=_BIG,
        stretch=1.5,
    ),
    Shape("TLS keep-alive, GET 1 KB", _load(Load(tls=True)), tls=True),
    Shape("WebSocket echo", lambda peer, seconds: websocket.run(peer.port, seconds), unit="message"),
    Shape("new connection per request", _load(Load(close=True))),
)
