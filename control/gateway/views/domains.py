"""A project's custom domains."""

from __future__ import annotations

from typing import Final

from control.gateway.call import Call
from control.gateway.models import domains as models
from proto.projects.v1 import domains_pb2

LOOK_S: Final = 25.0  # two looks at the DNS, each within its own bounds, and a turn to wait for


async def create(call: Call, body: models.CreateDomain) -> models.DomainShape:
    """POST /v1/projects/{project}/domains: claims a name, which is served once a DNS record proves it.

    `records` says which; the platform looks by itself, and at once when it is asked to. Others may claim the same name,
    and one project holds it.
    """
    request = domains_pb2.AddDomainRequest(project_id=call.found.id, **body.model_dump())
    return models.domain(await call.clients.domains.AddDomain(request))


async def index(call: Call) -> models.DomainList:
    """GET /v1/projects/{project}/domains: lists a project's custom domains."""
    found = await call.clients.domains.ListDomains(domains_pb2.ListDomainsRequest(project_id=call.found.id))
    return {"domains": [models.domain(one) for one in found.domains]}


async def show(call: Call) -> models.DomainShape:
    """GET /v1/projects/{project}/domains/{domain}: shows a domain, by id or name."""
    return models.domain(await call.clients.domains.GetDomain(_named(call)))


async def check(call: Call) -> models.DomainShape:
    """POST /v1/projects/{project}/domains/{domain}/check: looks at the domain's DNS records now.

    An expired domain has its time again. `message` says what was asked, found and expected.
    """
    return models.domain(await call.clients.domains.CheckDomain(_named(call), timeout=LOOK_S))


async def update(call: Call, body: models.UpdateDomain) -> models.DomainShape:
    """PATCH /v1/projects/{project}/domains/{domain}: changes environment or redirect; routers are told at once."""
    said = {name: value for name, value in body.model_dump().items() if value is not None}
    request = domains_pb2.UpdateDomainRequest(project_id=call.found.id, domain=call.named("domain"), **said)
    return models.domain(await call.clients.domains.UpdateDomain(request))


async def delete(call: Call) -> None:
    """DELETE /v1/projects/{project}/domains/{domain}: gives a name up."""
    await call.clients.domains.DeleteDomain(_named(call))


def _named(call: Call) -> domains_pb2.DomainRequest:
    return domains_pb2.DomainRequest(project_id=call.found.id, domain=call.named("domain"))
