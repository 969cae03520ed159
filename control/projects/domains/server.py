"""The gRPC face of domains (proto/projects/v1/domains.proto)."""

# ruff: noqa: N802 - the methods have the names that the .proto gives them
from __future__ import annotations

from typing import Any, Final

from control.projects.catalog.service import Catalog
from control.projects.domains.checking import Checking
from control.projects.domains.claim import Claim, State
from control.projects.domains.convert import domain_to
from control.projects.domains.lists import SQL, host_of
from control.projects.domains.service import DomainRules, Domains, Wish
from kernel.authority import Permission, require_platform
from kernel.database import Database
from proto.projects.v1 import domains_pb2 as pb
from proto.projects.v1.domains_pb2_grpc import DomainsServicer

PAGE: Final = 200
PAGE_MAX: Final = 1000


class DomainsServer(DomainsServicer):
    """Answers the calls of domains.proto."""

    def __init__(self, database: Database, rules: DomainRules, checking: Checking) -> None:
        self._database, self._rules, self._checking = database, rules, checking
        self._catalog, self._domains = Catalog(database), Domains(database, rules)

    async def AddDomain(self, request: pb.AddDomainRequest, context: Any) -> pb.Domain:
        """Pending, with the records that would prove it."""
        await self._catalog.reach(request.project_id, Permission.DOMAIN_CREATE)
        wish = Wish(request.environment or None, request.redirect_to, request.redirect_status or None)
        return self._shown(await self._domains.add(request.project_id, request.name, wish))

    async def ListDomains(self, request: pb.ListDomainsRequest, context: Any) -> pb.ListDomainsResponse:
        """By name."""
        await self._catalog.reach(request.project_id, Permission.DOMAIN_READ)
        return pb.ListDomainsResponse(domains=[self._shown(one) for one in await self._domains.of(request.project_id)])

    async def GetDomain(self, request: pb.DomainRequest, context: Any) -> pb.Domain:
        """As it stands."""
        await self._catalog.reach(request.project_id, Permission.DOMAIN_READ)
        return self._shown(await self._domains.get(request.project_id, request.domain))

    async def CheckDomain(self, request: pb.DomainRequest, context: Any) -> pb.Domain:
        """After a look; an expired claim has its time again."""
        await self._catalog.reach(request.project_id, Permission.DOMAIN_UPDATE)
        claim = await self._domains.get(request.project_id, request.domain)
        if claim.state is State.EXPIRED:
            await self._domains.revive(claim)
        return self._shown(await self._checking.check(claim))

    async def UpdateDomain(self, request: pb.UpdateDomainRequest, context: Any) -> pb.Domain:
        """What was said, and the rest as it was."""
        await self._catalog.reach(request.project_id, Permission.DOMAIN_UPDATE)
        wish = Wish(*(getattr(request, name) if request.HasField(name) else None for name in _CHANGEABLE))
        return self._shown(await self._domains.change(request.project_id, request.domain, wish))

    async def DeleteDomain(self, request: pb.DomainRequest, context: Any) -> pb.DeleteDomainResponse:
        """Gone, from the routers as well as soon as the orchestrator hears of it."""
        await self._catalog.reach(request.project_id, Permission.DOMAIN_DELETE)
        await self._domains.remove(request.project_id, request.domain)
        return pb.DeleteDomainResponse()

    async def ListHosts(self, request: pb.ListHostsRequest, context: Any) -> pb.ListHostsResponse:
        """A page of all lists."""
        require_platform()
        limit = min(request.limit, PAGE_MAX) if request.limit > 0 else PAGE
        rows = await self._database.fetch(SQL["lists"], request.after_project_id, request.after_environment, limit)
        return pb.ListHostsResponse(
            lists=[
                pb.HostList(
                    project_id=row["project_id"],
                    environment=row["environment"],
                    ordinal=row["ordinal"],
                    hosts=[pb.Host(**host_of(self._rules.apps, host)) for host in row["hosts"]],
                )
                for row in rows
            ]
        )

    def _shown(self, claim: Claim) -> pb.Domain:
        return domain_to(claim, self._rules.apps)


_CHANGEABLE: Final = ("environment", "redirect_to", "redirect_status")
