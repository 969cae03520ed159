"""B4: brings one deployment from the state that its row shows to its end, through the stages of `stages/`.

Each stage may be repeated: after a crash the work begins again from the row's state (a build from its beginning, a
release from its start, a flip from waiting for the routers). What the platform itself is missing for a while (the
database, the object store, the gateway) is waited for, within a bound; what the user's code does wrong fails at once.
"""

from __future__ import annotations

import asyncio
import logging

from kernel.database import Database
from kernel.database.pool import Row
from kernel.deployments import Kind, Stage, State
from kernel.errors import INTERNAL, ShipoffError
from kernel.sealing import Sealer
from orchestrator.attempt import Attempt, OvertakenError
from orchestrator.deadlines import Deadlines
from orchestrator.drivers.base import InstanceInfo
from orchestrator.environments import Work
from orchestrator.failpoints import Failpoints, Write
from orchestrator.failures import ProcessFailedError
from orchestrator.keeper import Keeper
from orchestrator.leases import LEASE_LOST
from orchestrator.logs import BuildLog, LogClient
from orchestrator.moves import move
from orchestrator.patience import Patience
from orchestrator.release.canary import Canary
from orchestrator.release.release import Release, load
from orchestrator.settings import OrchestratorSettings
from orchestrator.stages.building import Building
from orchestrator.stages.command import ReleaseCommand
from orchestrator.stages.deriving import Deriving
from orchestrator.stages.switch import Switch
from orchestrator.turns import Turn

log = logging.getLogger(__name__)


class Deployer:
    """Works on deployments; `deploy` is what the environments' runners call."""

    def __init__(
        self,
        settings: OrchestratorSettings,
        database: Database,
        building: Building,
        deriving: Deriving,
        command: ReleaseCommand,
        canary: Canary,
        switch: Switch,
        keeper: Keeper,
        patience: Patience,
        sealer: Sealer,
        logs: LogClient,
    ) -> None:
        self._database, self._patiently, self._sealer, self._logs = database, patience, sealer, logs
        self._building, self._deriving, self._command = building, deriving, command
        self._canary, self._switch, self._keeper = canary, switch, keeper
        self._deadlines, self._failpoints = Deadlines(settings), Failpoints(settings.failpoint)

    async def deploy(self, work: Work) -> None:
        """Brings a deployment to LIVE or FAILED.

        Raises:
            ShipoffError: the database is away, or the lease lost, so that nothing could be written; whoever has the
                lease then calls again, with the row as it is then.
        """
        build_log = BuildLog(self._logs, work.row["project_id"], work.row["id"])
        attempt = Attempt(work, build_log, self._deadlines, self._failpoints)
        try:
            async with attempt.bounded():
                await self._advance(attempt, work.turn)
        except OvertakenError:
            log.info("deployment %s was ended from outside", attempt.id)
        except ProcessFailedError as failure:
            await self._fail(attempt, failure.error, failure.exit_status, list(failure.last_lines))
        except ShipoffError as error:
            if error.code == LEASE_LOST.code:
                raise
            await self._fail(attempt, error)
        except Exception as error:  # a fault of ours must not leave a deployment unfinished
            log.exception("deployment %s failed in stage %s", attempt.id, attempt.stage)
            await self._fail(attempt, INTERNAL(f"the platform failed in stage {attempt.stage}: {type(error).__name__}"))
        finally:
            await asyncio.shield(attempt.log.finish())

    async def _advance(self, attempt: Attempt, turn: Turn) -> None:
        row = attempt.row
        if row["state"] in (State.QUEUED, State.BUILDING):
            row = await self._released(attempt)
        turn.end()
        release = await load(self._database, row["release_id"], self._sealer)
        attempt.log.hide({**release.plan.run_env, **release.env})
        with self._keeper.claim(release.id):
            if not row["flipped"]:
                await self._command.run(attempt, release)
                infos = await self._start(attempt, release, row["host"])
                if row["canary"]:
                    await self._canary.run(attempt, release, row["host"], infos)
                    infos = await self._start(attempt, release, row["host"])  # some may have ended meanwhile
                attempt.enter(Stage.ROUTE)
                row = await self._patiently(lambda: self._switch.flip(attempt, release, infos))
            attempt.stage = Stage.ROUTE
            await self._switch.confirm(attempt, release, row)

    async def _released(self, attempt: Attempt) -> Row:
        if attempt.row["kind"] != Kind.BUILD:
            return await self._deriving.run(attempt)
        return await self._building.run(attempt)

    async def _start(self, attempt: Attempt, release: Release, host: str) -> list[InstanceInfo]:
        if release.kind == "static":
            return []
        return await self._patiently(lambda: self._keeper.ensure(release, host, attempt.enter))

    async def _fail(
        self, attempt: Attempt, error: ShipoffError, exit_status: int = 0, last_lines: list[str] | None = None
    ) -> None:
        for line in last_lines or []:
            await attempt.log.line("stderr", f"  | {line}")
        await attempt.log.say(f"{error.code}: {error.detail}")
        await attempt.log.finish()  # who waits for the verdict has seen why when it comes
        async with attempt.writing(Write.FAIL) as tx:
            await self._switch.undo(tx, attempt)  # what served before serves again
            await move(tx, attempt.id, State.FAILED, attempt.failed(error, exit_status))
