"""A command in an instance for somebody far away: bounded in time and bytes, and noted in the log.

The streams are the caller's gRPC messages, one way and the other; what it does not read, the command waits for.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass
from typing import Final

from kernel import tasks
from kernel.audit import record
from kernel.authority import Owners, Permission
from kernel.database import Database, load_queries
from kernel.errors import INVALID_ARGUMENT, define
from orchestrator.build.running import WEB
from orchestrator.drivers.base import Command, Session
from orchestrator.instances import Instances
from proto.orchestrator.v1.running_pb2 import ExecBegun, ExecExit, ExecInput, ExecOutput, ExecSize, ExecStart

EXEC_NO_INSTANCE = define(
    "EXEC_NO_INSTANCE",
    source="client",
    status=404,
    hint="see what runs: shipoff ps; a sleeping app wakes with a request",
)
EXEC_ENDED = define("EXEC_ENDED", source="client", status=422, hint="begin another one, or do less at a time")

SQL: Final = load_queries("orchestrator.operate")
log = logging.getLogger(__name__)
START_S: Final = 10.0  # within which the first message must come
MOST_ARGUMENTS: Final = 1000
MOST_CHARACTERS: Final = 60_000


@dataclass(frozen=True, slots=True)
class ExecLimits:
    """Of one command.

    Attributes:
        seconds: from its start to its end.
        idle_s: without a byte in either direction.
        size: bytes in both directions together.
    """

    seconds: float
    idle_s: float
    size: int


class Execs:
    """Runs commands."""

    def __init__(self, database: Database, instances: Instances, limits: ExecLimits, owners: Owners) -> None:
        self._database, self._instances, self._limits, self._owners = database, instances, limits, owners

    async def run(self, inputs: AsyncIterator[ExecInput]) -> AsyncGenerator[ExecOutput, None]:
        """One command, from its first input to its exit.

        Raises:
            ShipoffError: INVALID_ARGUMENT, EXEC_NO_INSTANCE, EXEC_FAILED, EXEC_ENDED.
        """
        start = await _first(inputs)
        team_id = await self._owners.require(Permission.DEPLOYMENT_UPDATE, start.project_id)
        command = _command(start)
        instance_id = await self._choose(start)
        if team_id:
            await self._note(start, team_id, instance_id)
        session = await self._instances.exec(instance_id, command)
        watched = _Watched(session, self._limits)
        who = f"{start.account_id or 'nobody'}: {list(start.arguments)} in {instance_id}"
        log.info("exec by %s begins", who)
        helpers = [tasks.spawn(_feed(inputs, watched), "exec input"), tasks.spawn(watched.expire(), "exec limits")]
        try:
            yield ExecOutput(begun=ExecBegun(instance_id=instance_id))
            while (chunk := await session.read()) is not None:
                stream, data = chunk
                watched.count(len(data))
                yield ExecOutput(stdout=data) if stream == "stdout" else ExecOutput(stderr=data)
            if watched.over:
                raise EXEC_ENDED(watched.over)
            yield ExecOutput(exit=ExecExit(status=await session.wait()))
        finally:
            await tasks.stop(*helpers)
            await session.close()
            log.info("exec by %s is over: %s", who, watched)

    async def _note(self, start: ExecStart, team_id: str, instance_id: str) -> None:
        """Before it begins: a command that nobody can be held to is not run. Of its words the first one, as the others
        may be secrets.
        """
        said = {"environment": start.environment, "program": start.arguments[0]}
        async with self._database.transaction() as tx:
            await record(
                tx, "instance.exec", team_id=team_id, project_id=start.project_id, target=instance_id, after=said
            )

    async def _choose(self, start: ExecStart) -> str:
        process = start.process or WEB
        found = await self._database.fetch(
            SQL["ready_to_run_in"], start.project_id, start.environment, start.instance, process
        )
        if not found:
            wanted = f"whose id ends in {start.instance!r}" if start.instance else f"of the process {process}"
            raise EXEC_NO_INSTANCE(f"no instance {wanted} is ready in {start.environment}")
        if start.instance and len(found) > 1:
            raise EXEC_NO_INSTANCE(f"{start.instance!r} is the end of several instances' ids")
        return str(found[0]["id"])


class _Watched:
    """A session under its limits; `over` says which of them it passed."""

    def __init__(self, session: Session, limits: ExecLimits) -> None:
        self.session, self._limits = session, limits
        self._began = self._moved = time.monotonic()
        self._bytes, self.over = 0, ""

    def count(self, size: int) -> None:
        """Something went in or out."""
        self._moved = time.monotonic()
        self._bytes += size
        if self._bytes > self._limits.size:
            self._end(f"more than {self._limits.size} bytes went in and out")

    async def expire(self) -> None:
        """Ends the session when its time is up."""
        while not self.over:
            now, limits = time.monotonic(), self._limits
            left = min(self._began + limits.seconds, self._moved + limits.idle_s) - now
            if left <= 0:
                self._end(f"it took {now - self._began:.0f} s, or was idle for {limits.idle_s:g} s")
            await asyncio.sleep(max(left, 0.0))

    def _end(self, over: str) -> None:
        self.over = self.over or over
        self.session.kill()

    def __str__(self) -> str:
        return f"{time.monotonic() - self._began:.1f} s, {self._bytes} bytes {self.over}".rstrip()


async def _first(inputs: AsyncIterator[ExecInput]) -> ExecStart:
    try:
        async with asyncio.timeout(START_S):
            first = await anext(inputs)
    except (StopAsyncIteration, TimeoutError):
        raise INVALID_ARGUMENT("no command was named") from None
    if first.WhichOneof("input") != "start":
        raise INVALID_ARGUMENT("the first message must say what to run")
    return first.start


def _command(start: ExecStart) -> Command:
    arguments = list(start.arguments)
    if not arguments or len(arguments) > MOST_ARGUMENTS or sum(map(len, arguments)) > MOST_CHARACTERS:
        raise INVALID_ARGUMENT(f"a command has 1 to {MOST_ARGUMENTS} arguments of {MOST_CHARACTERS} characters in all")
    if any("\0" in argument for argument in arguments):
        raise INVALID_ARGUMENT("an argument cannot have a NUL character")
    rows, cols = _size(start.size)
    return Command(arguments, start.tty, rows, cols, start.term[:64] or "xterm")


def _size(size: ExecSize) -> tuple[int, int]:
    return min(max(size.rows, 1), 1000), min(max(size.cols, 1), 1000)


async def _feed(inputs: AsyncIterator[ExecInput], watched: _Watched) -> None:
    async for one in inputs:
        match one.WhichOneof("input"):
            case "data":
                watched.count(len(one.data))
                await watched.session.write(one.data)
            case "size":
                watched.session.resize(*_size(one.size))
            case "end":
                await watched.session.end_input()
    watched.session.kill()  # nobody is there any more
