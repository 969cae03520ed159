"""Asks for sleeping releases: one `wake.requested` on the stream `activity` for a release's sleep, however many ask.

Requests never wait for this: `ask` only notes the release, a task publishes. A worker asks once per version of the
sleeping record; a key in Redis that names release and version keeps the others from asking again. It is set and the
event is appended in one step, so a crash in between loses neither. After `_AGAIN_S` both forget, so that a release
which still sleeps then, and is still asked for, is asked for again. Without Redis what was noted waits as long.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable
from typing import Final, cast

from redis.exceptions import RedisError

from kernel.events import Envelope, WakeRequested
from kernel.streams import connect
from kernel.tasks import spawn, stop
from router.activity import KEPT_S
from router.edge.context import Edge

log = logging.getLogger(__name__)
_AGAIN_S: Final = 60
_MOST_WAITING: Final = 1024
_MOST_KNOWN: Final = 65_536
_FIRST_PAUSE_S: Final = 0.05
_LONGEST_PAUSE_S: Final = 1.0
# KEYS: the mark, the stream. ARGV: who asks, seconds of the mark, the oldest id to keep, the event.
_SCRIPT: Final = """
if redis.call('SET', KEYS[1], ARGV[1], 'NX', 'EX', ARGV[2]) then
  return redis.call('XADD', KEYS[2], 'MINID', '~', ARGV[3], '*', 'e', ARGV[4])
end
return false
"""


class Wakes:
    """A worker's asking for sleeping releases.

    Args of the constructor:
        name: this worker's, as in `routers:<id>`.
    """

    def __init__(self, edge: Edge, url: str, name: str) -> None:
        self._edge = edge
        self._name = name
        self._redis = connect(url)
        self._asked: dict[str, tuple[int, float]] = {}
        self._waiting: deque[tuple[str, int, float]] = deque()
        self._more = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Asks for what requests need from now on."""
        self._task = spawn(self._run(), "router.wakes")
        self._edge.wake = self.ask

    async def stop(self) -> None:
        """Asks for nothing more."""
        await stop(self._task)
        await self._redis.aclose()

    def ask(self, release: str, version: int) -> None:
        """A request has come for a release that sleeps.

        Args:
            version: of the record that says so.
        """
        now = time.monotonic()
        asked = self._asked.get(release)
        if asked is not None and asked[0] == version and now < asked[1]:
            return
        if len(self._waiting) >= _MOST_WAITING:
            self._edge.metrics.wakes_dropped += 1
            return
        if len(self._asked) >= _MOST_KNOWN:
            del self._asked[next(iter(self._asked))]
        self._asked[release] = (version, now + _AGAIN_S)
        self._waiting.append((release, version, now + _AGAIN_S))
        self._more.set()

    async def _run(self) -> None:
        pause = _FIRST_PAUSE_S
        while True:
            await self._more.wait()
            self._more.clear()
            while self._waiting:
                release, version, until = self._waiting[0]
                try:
                    if time.monotonic() < until:
                        await self._publish(release, version)
                    self._waiting.popleft()
                    pause = _FIRST_PAUSE_S
                except (RedisError, OSError, TimeoutError) as error:
                    log.warning("cannot ask for the sleeping release %s yet: %r", release, error)
                    await asyncio.sleep(pause)
                    pause = min(pause * 2, _LONGEST_PAUSE_S)

    async def _publish(self, release: str, version: int) -> None:
        event = Envelope(WakeRequested(release, self._name), key=release).encode()
        oldest = int((time.time() - KEPT_S) * 1000)
        mark, stream = f"wakes:{release}:{version}", WakeRequested.STREAM
        answer = self._redis.eval(_SCRIPT, 2, mark, stream, self._name, _AGAIN_S, oldest, event)
        await cast("Awaitable[object]", answer)
        self._edge.metrics.wakes += 1
