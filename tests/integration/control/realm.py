"""Projects and their domains on a real database and a name server of our own."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from control.projects.domains.checking import Checking
from control.projects.domains.decide import Patience
from control.projects.domains.rechecks import Rechecks
from control.projects.domains.records import AppsUrl
from control.projects.domains.resolver import Resolver
from control.projects.domains.server import DomainsServer
from control.projects.domains.service import DomainRules
from control.projects.server import ProjectsServer
from kernel.database import Database
from kernel.events import AuditRecorded, DomainsChanged, decode
from proto.projects.v1 import domains_pb2 as pb
from proto.projects.v1 import projects_pb2
from tests.integration.control import dns

NO_CONTEXT: Any = None
APPS = AppsUrl("https://{project}.apps.test")


class Realm:
    """Projects and their domains, a DNS, and what was told of them."""

    def __init__(self, database: Database, projects: ProjectsServer, names: dns.Names) -> None:
        self.database, self.projects, self.names = database, projects, names
        rules = DomainRules(APPS, (APPS.domain, "shipoff.test"), 4)
        self.checking = Checking(database, Resolver(names.server), APPS, Patience(7, 3, 14))
        self.server = DomainsServer(database, rules, self.checking)
        self.rechecks = Rechecks(database, self.checking)

    async def project(self, name: str, owner: str = "tem_a") -> str:
        made = await self.projects.CreateProject(
            projects_pb2.CreateProjectRequest(name=name, team_id=owner), NO_CONTEXT
        )
        return str(made.id)

    async def add(self, project: str, name: str, **fields: Any) -> pb.Domain:
        return await self.server.AddDomain(pb.AddDomainRequest(project_id=project, name=name, **fields), NO_CONTEXT)

    async def check(self, project: str, domain: str) -> pb.Domain:
        return await self.server.CheckDomain(pb.DomainRequest(project_id=project, domain=domain), NO_CONTEXT)

    async def get(self, project: str, domain: str) -> pb.Domain:
        return await self.server.GetDomain(pb.DomainRequest(project_id=project, domain=domain), NO_CONTEXT)

    async def change(self, project: str, domain: str, **fields: Any) -> pb.Domain:
        request = pb.UpdateDomainRequest(project_id=project, domain=domain, **fields)
        return await self.server.UpdateDomain(request, NO_CONTEXT)

    async def remove(self, project: str, domain: str) -> None:
        await self.server.DeleteDomain(pb.DomainRequest(project_id=project, domain=domain), NO_CONTEXT)

    def prove(self, domain: pb.Domain) -> None:
        """Adds the TXT record, beside those of others."""
        record = domain.records[0]
        self.names.txt(record.name, *self.names.texts.get(record.name, []), record.value)

    async def verified(self, project: str, name: str, **fields: Any) -> pb.Domain:
        self.prove(await self.add(project, name, **fields))
        found = await self.check(project, name)
        assert found.state == "verified", found.message
        return found

    async def told(self) -> list[Any]:
        """All events so far, oldest first."""
        rows = await self.database.fetch("select envelope from outbox order by position")
        return [decode(row["envelope"]).data for row in rows]

    async def states(self) -> list[str]:
        """Those that domains came into, as the audit log has them."""
        found = [one.action for one in await self.told() if isinstance(one, AuditRecorded)]
        ends = ("domain.verified", "domain.failing", "domain.expired")
        return [action.partition(".")[2] for action in found if action in ends]

    async def hosts(self, project: str, environment: str = "production") -> list[dict[str, Any]] | None:
        """Of the newest list; None when there was none."""
        lists = [
            one
            for one in await self.told()
            if isinstance(one, DomainsChanged) and (one.project_id, one.environment) == (project, environment)
        ]
        return max(lists, key=lambda one: one.ordinal).hosts if lists else None

    async def pass_days(self, days: float) -> None:
        """As if so much time had gone by."""
        await self.database.execute(
            "update domains set created_at = created_at - $1::interval, claimed_at = claimed_at - $1::interval,"
            " checked_at = checked_at - $1::interval, check_at = check_at - $1::interval",
            timedelta(days=days),
        )


def host(name: str, location: str = "", status: int = 308) -> dict[str, Any]:
    return {"host": name, "location": location, "status": status}
