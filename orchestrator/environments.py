"""Serial per environment, parallel across: one runner for each environment that has an unfinished deployment.

Any number of orchestrators share the work. Each looks at what is unfinished (told by a notification of the database,
and every few seconds by itself), waits for a turn to build, and takes the environment's lease; who has it works on the
environment's next deployment until none is unfinished. While it works it renews the lease and sees whether its
deployment was ended from outside. Whoever is killed or paused loses the lease, and another goes on from the state that
the database shows.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Final

from kernel import tasks
from kernel.database import Database, load_queries
from kernel.database.pool import Row, Transaction
from kernel.deployments import Kind, Stage, State
from kernel.errors import ShipoffError
from orchestrator.leases import LEASE_LOST, Lease, Leases
from orchestrator.moves import Note, move
from orchestrator.plan_limits import PlanLimits
from orchestrator.turns import NO_TURN, QUEUE_TIMED_OUT, Turn, Turns

SQL: Final = load_queries("orchestrator")
CHANNEL: Final = "environments"
BACKOFF_S: Final = (0.2, 0.5, 1.0, 2.0, 5.0)
LOOK_EVERY_S: Final = 2.0  # a notification may be lost, and who had the lease may be dead
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Work:
    """One deployment to bring to its end.

    Attributes:
        row: as it is at the beginning.
        lease: of its environment; everything is written in its transactions.
        turn: to build; to be ended when nothing is built any more.
    """

    row: Row
    lease: Lease
    turn: Turn

    @property
    def waited_ms(self) -> int:
        """How long it was queued, by the database's clock."""
        return int(self.row["waited_ms"]) if self.row["state"] == State.QUEUED else 0


Deploy = Callable[[Work], Coroutine[Any, Any, None]]
Key = tuple[str, str]


async def tell(tx: Transaction, project_id: str, environment: str) -> None:
    """Says to all orchestrators, when the transaction commits, that an environment may have something to do."""
    await tx.execute(SQL["tell_environment"], CHANNEL, f"{project_id}/{environment}")


class Environments:
    """The runners.

    Args:
        database: of the orchestrator.
        leases: under this worker's name.
        turns: to build.
        deploy: brings one deployment to its end; cancelled when that was ended from outside, or the lease is lost.
    """

    def __init__(self, database: Database, leases: Leases, turns: Turns, deploy: Deploy) -> None:
        self._database, self._leases, self._turns, self._deploy = database, leases, turns, deploy
        self._runners: dict[Key, asyncio.Task[None]] = {}
        self._hints: dict[Key, asyncio.Event] = {}
        self._watcher: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Takes up what is unfinished, now and whenever something is."""
        self._watcher = tasks.spawn(self._watch(), "watches environments")

    async def stop(self) -> None:
        """Stops all work and gives the leases back; others take it up."""
        await tasks.stop(self._watcher)
        await tasks.stop(*self._runners.values())

    def poke(self, project_id: str, environment: str) -> None:
        """Says that an environment may have something to do, or that its work may have been ended."""
        key = (project_id, environment)
        self._hints.setdefault(key, asyncio.Event()).set()
        if key not in self._runners:
            self._runners[key] = tasks.spawn(self._run(key), f"environment {project_id}/{environment}")

    # --- what there is to do ------------------------------------------------------------------------------------------

    async def _watch(self) -> None:
        while True:
            try:
                async with self._database.connection() as connection:
                    await self._listen(connection)
            except Exception as error:
                # Whatever it is: without this loop nothing is ever begun.
                expected = isinstance(error, ShipoffError) and error.retryable
                log.warning("environments are not looked at: %s", error, exc_info=None if expected else error)
                await asyncio.sleep(BACKOFF_S[1])

    async def _listen(self, connection: Transaction) -> None:
        def told(_: object, __: object, ___: object, payload: object) -> None:
            self.poke(*str(payload).split("/", 1))

        await connection.add_listener(CHANNEL, told)
        try:
            while True:
                for row in await connection.fetch(SQL["unfinished_environments"], self._leases.holder):
                    self.poke(row["project_id"], row["environment"])
                await asyncio.sleep(LOOK_EVERY_S)
        finally:
            with contextlib.suppress(Exception):  # a broken connection listens no more by itself
                await connection.remove_listener(CHANNEL, told)

    # --- one environment ----------------------------------------------------------------------------------------------

    async def _run(self, key: Key) -> None:
        failures, hint = 0, self._hints[key]
        try:
            while hint.is_set():
                hint.clear()
                try:
                    await self._serve(key)
                    failures = 0
                except Exception as error:
                    # Whatever it is, an environment is never left standing: the database says where to go on.
                    expected = isinstance(error, ShipoffError) and (error.retryable or error.code == LEASE_LOST.code)
                    log.warning("%s/%s waits: %s", *key, error, exc_info=None if expected else error)
                    await asyncio.sleep(BACKOFF_S[min(failures, len(BACKOFF_S) - 1)])
                    failures += 1
                    hint.set()
        finally:
            del self._runners[key], self._hints[key]

    async def _serve(self, key: Key) -> None:
        """Works until nothing is unfinished, or somebody else has the lease: who looks again when he gives it back."""
        while (row := await self._next(key)) is not None:
            try:
                async with self._turn(row) as turn:
                    if not await self._once(key, turn):
                        return
            except ShipoffError as error:
                if error.code != QUEUE_TIMED_OUT.code:
                    raise
                await self._give_up(key, row, error)

    def _turn(self, row: Row) -> contextlib.AbstractAsyncContextManager[Turn]:
        if not _builds(row):
            return contextlib.nullcontext(NO_TURN)
        return self._turns.take(row["owner"], PlanLimits.read(row["limits"]).builds)

    async def _once(self, key: Key, turn: Turn) -> bool:
        """Takes the lease and works on what is next now, which may be newer than what the turn was taken for."""
        async with self._leased(key) as lease:
            if lease is None:
                return False
            row = await self._next(key)
            if row is not None and (turn is not NO_TURN or not _builds(row)):
                await self._work(key, Work(row, lease, turn))
            return True

    @contextlib.asynccontextmanager
    async def _leased(self, key: Key) -> AsyncIterator[Lease | None]:
        lease = await self._leases.acquire(*key)
        try:
            yield lease
        finally:
            if lease is not None:
                with contextlib.suppress(ShipoffError):  # the database is away: it runs out
                    await asyncio.shield(self._leases.release(lease))

    async def _work(self, key: Key, work: Work) -> None:
        task = tasks.spawn(self._deploy(work), f"deployment {work.row['id']}")
        hint = self._hints[key]
        task.add_done_callback(lambda _: hint.set())
        try:
            while not task.done() and await self._goes_on(work):
                hint.clear()
                if not task.done():
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(hint.wait(), min(LOOK_EVERY_S, self._leases.lasts_s / 3))
        finally:
            await tasks.stop(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            raise error

    async def _goes_on(self, work: Work) -> bool:
        """Renews the lease and looks at the deployment; a database that is away takes neither from anybody."""
        try:
            if not await self._leases.renew(work.lease):
                log.warning("the lease of %s/%s is lost", work.lease.project_id, work.lease.environment)
                return False
            return bool(await self._database.fetchval(SQL["is_unfinished"], work.row["id"]))
        except ShipoffError as error:
            log.warning("the lease of %s is not renewed: %s", work.row["id"], error)
            return True

    async def _give_up(self, key: Key, row: Row, error: ShipoffError) -> None:
        """Ends what waited too long for its turn, unless another orchestrator has begun it."""
        async with self._leased(key) as lease:
            if lease is None:
                return
            note = Note(stage=Stage.QUEUE, reason=error.code, hint=error.hint, detail=error.detail)
            async with lease.transaction() as tx:
                await move(tx, row["id"], State.FAILED, note)

    async def _next(self, key: Key) -> Row | None:
        return await self._database.fetchrow(SQL["next_deployment"], *key)


def _builds(row: Row) -> bool:
    return row["state"] in (State.QUEUED, State.BUILDING) and row["kind"] == Kind.BUILD
