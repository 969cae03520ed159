"""Tells the person who pushes how the deployment gets on: stages, the build's own lines, and the answer."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from typing import Final

from control.gateway.clients import Clients
from control.gateway.git import story
from control.gateway.live.view import LiveView
from control.gateway.live.watch import Step, watch
from kernel import tasks
from kernel.deployments import State
from kernel.errors import ShipoffError
from proto.logsink.v1 import logsink_pb2
from proto.projects.v1 import projects_pb2

log = logging.getLogger(__name__)

Say = Callable[[str], Awaitable[None]]

QUIET_S: Final = 20.0  # after so long without a word we say what we wait for
RETRY_S: Final = 0.5
REST_S: Final = 1.0  # for the last lines once the answer is known
SETTLED_S: Final = 0.2  # a failed build that logged nothing for so long has said all


class Narrator:
    """Makes narrations.

    Args:
        clients: of projects and logsink.
        live: the events.
    """

    def __init__(self, clients: Clients, live: LiveView) -> None:
        self._clients, self._live = clients, live

    async def narrate(self, project: projects_pb2.Project, deployment: projects_pb2.Deployment, say: Say) -> Step:
        """Follows a deployment to its answer.

        Returns:
            The answer, which was told already.

        Raises:
            ShipoffError: DEPLOYMENT_OUT_OF_SIGHT.
        """
        return await _Narration(self._clients, self._live, project, deployment, say).run()


class _Narration:
    """One deployment told to one person."""

    def __init__(
        self,
        clients: Clients,
        live: LiveView,
        project: projects_pb2.Project,
        deployment: projects_pb2.Deployment,
        say: Say,
    ) -> None:
        self._clients, self._live, self._project, self._deployment = clients, live, project, deployment
        self._say_raw = say
        self._loop = asyncio.get_running_loop()
        self._spoken_at = self._began_at = self._loop.time()
        self._step: Step | None = None
        self._offset = 0
        self._heard = asyncio.Event()  # set by each line

    async def run(self) -> Step:
        for line in story.beginning(self._deployment.id, self._deployment.commit, self._deployment.message):
            await self._say(line)
        beside = [
            tasks.spawn(self._build_lines(), "build log of a push"),
            tasks.spawn(self._pulse(), "pulse of a push"),
        ]
        try:
            step = await self._stages()
            if step.state is State.FAILED:
                await self._settled()
        finally:
            await tasks.stop(*beside)
        await self._rest()
        seconds, was_live = self._loop.time() - self._began_at, bool(self._project.live_deployment_id)
        for line in story.ending(step, seconds, was_live=was_live):
            await self._say(line)
        return step

    async def _stages(self) -> Step:
        steps = watch(self._live, self._clients.projects, self._deployment.id)
        async with aclosing(steps):
            async for step in steps:
                self._step = step
                if step.answered:
                    return step
                await self._say(story.progress(step))
        raise AssertionError("watch ends with an answer or an error")

    async def _build_lines(self) -> None:
        """Shows the build's lines as they come; a log service that is away is waited for."""
        while True:
            try:
                await self._show(follow=True)
            except ShipoffError as error:
                log.info("the build log is away: %s", error)
            await asyncio.sleep(RETRY_S)

    async def _rest(self) -> None:
        """Shows what was stored before the answer and is not shown yet."""
        try:
            async with asyncio.timeout(REST_S):
                await self._show(follow=False)
        except (TimeoutError, ShipoffError) as error:
            log.info("the end of a build log is not shown: %r", error)

    async def _show(self, *, follow: bool) -> None:
        wanted = logsink_pb2.ReadRequest(
            project_id=self._project.id,
            deployment_id=self._deployment.id,
            source="build",
            follow=follow,
            after_offset=self._offset,
        )
        async for line in self._clients.logs.Read(wanted):
            self._offset = max(self._offset, line.offset)
            await self._say(story.logged(line.text))

    async def _settled(self) -> None:
        """Lets the reason of a failure arrive: its last lines are on their way while its state is known already."""
        give_up = self._loop.time() + REST_S
        while self._loop.time() < give_up:
            self._heard.clear()
            try:
                await asyncio.wait_for(self._heard.wait(), SETTLED_S)
            except TimeoutError:
                return

    async def _pulse(self) -> None:
        while True:
            await asyncio.sleep(QUIET_S / 4)
            if self._loop.time() - self._spoken_at >= QUIET_S:
                await self._say(story.waiting(self._step, self._loop.time() - self._began_at))

    async def _say(self, text: str) -> None:
        self._heard.set()
        self._spoken_at = self._loop.time()
        await self._say_raw(text)
