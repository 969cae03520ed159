"""One follower of the stream `lifecycle` for the whole process, dispatching to whoever watches a deployment.

It is a hint, never the truth: a watcher that falls behind loses the oldest events, and watch.py asks for the truth.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from redis.asyncio import Redis

from kernel import tasks
from kernel.events import DeploymentStateChanged
from kernel.streams import follow

QUEUE: Final = 64  # events that a watcher may be behind; a deployment has about ten

Changes = asyncio.Queue[DeploymentStateChanged]


class LiveView:
    """Follows the stream while started."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._watchers: dict[str, set[Changes]] = {}
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begins with what is appended from now on."""
        self._task = tasks.spawn(self._run(), "live view of lifecycle")

    async def stop(self) -> None:
        """Stops following."""
        await tasks.stop(self._task)

    @contextmanager
    def changes(self, deployment_id: str) -> Iterator[Changes]:
        """The changes of one deployment, for the length of the block."""
        queue = Changes(QUEUE)
        self._watchers.setdefault(deployment_id, set()).add(queue)
        try:
            yield queue
        finally:
            watchers = self._watchers[deployment_id]
            watchers.remove(queue)
            if not watchers:
                del self._watchers[deployment_id]

    async def _run(self) -> None:
        async for envelope in follow(self._redis, "lifecycle"):
            if isinstance(envelope.data, DeploymentStateChanged):
                self._dispatch(envelope.data)

    def _dispatch(self, change: DeploymentStateChanged) -> None:
        for queue in self._watchers.get(change.deployment_id, ()):
            if queue.full():
                queue.get_nowait()
            queue.put_nowait(change)
