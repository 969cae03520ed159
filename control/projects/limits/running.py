"""All of limits in a process: what answers calls, and what counts in the background."""

from __future__ import annotations

from control.projects.limits.admission import SQL
from control.projects.limits.metering import Metering
from control.projects.limits.plans import plan
from control.projects.limits.server import LimitsServer
from control.projects.owners import Owners
from control.projects.settings import ProjectsSettings
from kernel.database import Database
from kernel.rpc import RpcClient


class RunningLimits:
    """Makes the parts from the settings.

    Args:
        auth: the channel to auth, which sends mails.

    Attributes:
        server: the servicer of limits.proto.

    Raises:
        ShipoffError: PLAN_UNKNOWN.
    """

    def __init__(self, settings: ProjectsSettings, database: Database, auth: RpcClient) -> None:
        plan(settings.default_plan)
        self._default, self._database = settings.default_plan, database
        self._logs = RpcClient(settings.logsink_address, settings.service_token)
        self._metering = Metering(database, self._logs, Owners(auth))
        self.server = LimitsServer(database)

    async def start(self) -> None:
        """Writes down the default plan, and begins to count."""
        await self._database.execute(SQL["set_default"], self._default)
        self._metering.start()

    async def stop(self) -> None:
        """Stops."""
        await self._metering.stop()
        await self._logs.close()
