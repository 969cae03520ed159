"""Which poller this program uses: that of edge/quick.pyx when compiled, else edge/poller.py as it stands."""

from __future__ import annotations

from router import COMPILED
from router.edge.poller import Poller

LoopPoller: type[Poller] = Poller
if COMPILED:
    from router.edge.quick import QuickPoller

    LoopPoller = QuickPoller
