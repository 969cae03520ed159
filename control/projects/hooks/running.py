"""All of hooks in a process: what answers calls, and what works in the background."""

from __future__ import annotations

from control.projects.catalog.service import Catalog
from control.projects.hooks.deliveries import Deliveries
from control.projects.hooks.mail import MailSender
from control.projects.hooks.rules import TargetRules, ports_of
from control.projects.hooks.send import HttpSender
from control.projects.hooks.server import HooksServer
from control.projects.hooks.service import Hooks
from control.projects.hooks.upkeep import HookUpkeep
from control.projects.hooks.worker import HookWorker
from control.projects.owners import Owners
from control.projects.settings import ProjectsSettings
from kernel.database import Database
from kernel.net_guard import NetGuard
from kernel.rpc import RpcClient
from kernel.sealing import Sealer
from kernel.settings import SETTINGS_INVALID


class RunningHooks:
    """Makes the parts from the settings.

    Args:
        auth: the channel to auth, which sends mails.

    Attributes:
        server: the servicer of hooks.proto.

    Raises:
        ShipoffError: SETTINGS_INVALID.
    """

    def __init__(self, settings: ProjectsSettings, database: Database, sealer: Sealer, auth: RpcClient) -> None:
        try:
            targets = TargetRules(settings.hooks_insecure, ports_of(settings.hooks_ports))
            guard = NetGuard(settings.hooks_allow.split())
        except ValueError as error:
            raise SETTINGS_INVALID(f"HOOKS_PORTS or HOOKS_ALLOW: {error}") from None
        mail = MailSender(auth)
        self._http = HttpSender(guard)
        self._worker = HookWorker(database, sealer, self._http, mail, lease_s=settings.hooks_lease_s)
        self._upkeep = HookUpkeep(database, Owners(auth))
        self.server = HooksServer(Catalog(database), Hooks(database, sealer, targets), Deliveries(database))

    def start(self) -> None:
        """Begins to deliver."""
        self._worker.start()
        self._upkeep.start()

    async def stop(self) -> None:
        """Stops; what waits, waits in the database."""
        await self._upkeep.stop()
        await self._worker.stop()
        await self._http.close()
