"""Brings the one-machine platform up, keeps it up, and takes it down.

    servers in parallel -> databases (roles, schemas) -> services as their dependencies allow -> owner -> examples

The order of `Platform.run` is the order of a start; `_stop` is its reverse.
"""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import time
from typing import Final

from kernel import tasks
from kernel.errors import ShipoffError
from stack import orphans
from stack.display import Display
from stack.environment import inherited, tuning
from stack.first_run import FirstRun
from stack.forge import Forge
from stack.linux import become_subreaper
from stack.logs import LogPump
from stack.plan import draw_up
from stack.process import Process
from stack.services import AFTER, MODULES, Service
from stack.settings import StackSettings
from stack.state import State
from stack.status import StatusFile
from stack.supervisor import Supervised, UnitState, stop_in_order

ORPHANS_S: Final = 6.0  # apps and router workers get this long between SIGTERM and SIGKILL

log = logging.getLogger(__name__)


class Platform:
    """One stack, from its start to its end.

    Args:
        state: its directory, locked by us.
        settings: the operator's.
        display: who is told.
        examples: whether a first run deploys examples.
    """

    def __init__(self, state: State, settings: StackSettings, display: Display, *, examples: bool) -> None:
        self._begun = time.monotonic()
        self._state, self._display = state, display
        self._blueprint = draw_up(state, settings)
        self._plan = self._blueprint.plan
        self._logs = LogPump(state.logs)
        self._forge = Forge(inherited(), state.directory, self._logs)
        self._first_run = FirstRun(state, settings, self._blueprint, self._logs, examples=examples)
        self._units: dict[str, Supervised] = {}
        self._gates: dict[str, asyncio.Event] = {"databases": asyncio.Event()}
        self._status = StatusFile(
            state,
            os.getpid(),
            urls={"gateway": self._plan.gateway_url, "router": self._plan.router_url},
            apps_url=self._plan.apps_url,
            projects_address=f"127.0.0.1:{self._plan.ports['projects']}",
            auth_address=f"127.0.0.1:{self._plan.ports['auth']}",
            units=self._units,
        )

    async def run(self, stop: asyncio.Event) -> int:
        """Starts everything, waits for `stop`, stops everything.

        Returns:
            The exit code: 0, or 1 when a unit had to be given up.

        Raises:
            ShipoffError: something did not come up; all is stopped again.
        """
        become_subreaper()
        reaper = tasks.spawn(orphans.reap_forever(lambda: Process.live), "orphans")
        start = tasks.spawn(self._start(), "start")
        stopped = tasks.spawn(stop.wait(), "stop")
        try:
            await asyncio.wait({start, stopped}, return_when=asyncio.FIRST_COMPLETED)
            error = start.result() if start.done() else None
            if error is not None:
                self._set_phase("failed")
                raise error
            await stopped
            return 1 if self._status.phase == "degraded" else 0
        finally:
            await tasks.stop(start, stopped)
            await self._stop()
            await tasks.stop(reaper)

    async def _start(self) -> ShipoffError | None:
        try:
            await self._bring_up()
            self._set_phase("ready")
            owner = await self._first_run.owner()
            projects = await self._first_run.examples(owner, self._display.say)
        except ShipoffError as error:
            return error
        self._display.summary(
            {
                "seconds": time.monotonic() - self._begun,
                "dir": str(self._state.directory),
                "gateway": self._plan.gateway_url,
                "apps": self._plan.apps_url.format(project="<project>"),
                "mails": "" if "SHIPOFF_AUTH_SMTP_URL" in tuning(["auth"]) else str(self._plan.mails),
                "projects": projects,
                "email": owner.get("email", ""),
                "token": owner.get("token", ""),
            }
        )
        await self._first_run.runtimes()
        return None

    async def _bring_up(self) -> None:
        """Starts every unit when its time has come; raises the first failure."""
        environment = inherited()
        services = {name: Service(name, self._plan, environment) for name in MODULES}
        self._status.admins = {name: service.admin for name, service in services.items()}
        for name, unit in {**self._blueprint.servers, **services}.items():
            gates = [self._gate(other) for other in AFTER.get(name, ())]
            self._units[name] = Supervised(unit, gates, self._forge, self._logs, self._changed)
            self._gates[name] = self._units[name].ready
        self._status.write()
        for supervised in self._units.values():
            supervised.start()
        failures: list[BaseException] = []
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._forge.warm_up())
                group.create_task(self._databases())
                for supervised in self._units.values():
                    group.create_task(supervised.first_ready())
        except* ShipoffError as group_of_failures:
            failures.extend(group_of_failures.exceptions)
        if failures:
            raise failures[0]

    async def _databases(self) -> None:
        if "postgres" in self._units:
            await self._units["postgres"].ready.wait()
        self._display.unit("databases", UnitState.STARTING)
        await self._first_run.databases()
        self._gates["databases"].set()
        self._display.unit("databases", UnitState.READY)

    async def _stop(self) -> None:
        """Services in reverse order, then what they left behind, then the servers."""
        self._set_phase("stopping")
        servers = {name: unit for name, unit in self._units.items() if name in self._blueprint.servers}
        services = {name: unit for name, unit in self._units.items() if name not in servers}
        await stop_in_order(services, AFTER)
        await self._forge.stop()
        killed = await orphans.end_all(Process.live, ORPHANS_S)
        if killed:
            log.warning("%d processes did not end when asked and were killed", killed)
        await stop_in_order(servers, {})
        await orphans.end_all(Process.live, ORPHANS_S)
        self._logs.close()
        self._status.write()
        if self._plan.run_dir.parent != self._state.directory:
            shutil.rmtree(self._plan.run_dir, ignore_errors=True)

    def _gate(self, name: str) -> asyncio.Event:
        """What to wait for; a server that is somebody else's is ready by definition."""
        if name not in self._gates:
            self._gates[name] = asyncio.Event()
            self._gates[name].set()
        return self._gates[name]

    def _changed(self, unit: Supervised) -> None:
        if unit.state is UnitState.FAILED and self._status.phase == "ready":
            self._status.phase = "degraded"
        self._status.write()
        self._display.unit(unit.name, unit.state)

    def _set_phase(self, phase: str) -> None:
        self._status.phase = phase
        self._status.write()
