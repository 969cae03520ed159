"""Puts the parts of this folder together, by the settings."""

from __future__ import annotations

from control.projects.domains.checking import Checking
from control.projects.domains.decide import Patience
from control.projects.domains.names import normalise
from control.projects.domains.rechecks import Rechecks
from control.projects.domains.records import AppsUrl
from control.projects.domains.resolver import Resolver
from control.projects.domains.server import DomainsServer
from control.projects.domains.service import DomainRules
from control.projects.domains.warnings import Warnings
from control.projects.owners import Owners
from control.projects.settings import ProjectsSettings
from kernel.database import Database
from kernel.rpc import RpcClient


class DomainsPart:
    """What the process starts and serves.

    Args:
        auth: the channel to auth, which sends mails.

    Attributes:
        server: the gRPC face.

    Raises:
        ShipoffError: DNS_SERVERS_INVALID, or DOMAIN_INVALID for what stands in `platform_domains`.
    """

    def __init__(self, database: Database, settings: ProjectsSettings, auth: RpcClient) -> None:
        apps = AppsUrl(settings.apps_url)
        platform = (apps.domain, *(normalise(name, ()) for name in settings.platform_domains.split()))
        patience = Patience(settings.domain_pending_days, settings.domain_failing_days, settings.domain_grace_days)

        def checking() -> Checking:
            # One each, so that somebody who asks for a look does not wait behind those that the loop takes.
            return Checking(database, Resolver(settings.dns_servers), apps, patience)

        self.server = DomainsServer(database, DomainRules(apps, platform, settings.domain_count), checking())
        self._rechecks = Rechecks(database, checking())
        self._warnings = Warnings(database, Owners(auth), patience)

    def start(self) -> None:
        """Begins to look again, and to tell owners."""
        self._rechecks.start()
        self._warnings.start()

    async def stop(self) -> None:
        """Stops both; what is due stays in the database."""
        await self._warnings.stop()
        await self._rechecks.stop()
