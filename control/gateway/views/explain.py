"""Why a request was answered as it was, and what an address would be answered with."""

from __future__ import annotations

import time
from typing import Any, Final
from urllib.parse import urlsplit

import orjson

from control.gateway import explain
from control.gateway.call import Call
from control.gateway.models import explain as models
from control.gateway.models.requests import requests
from control.gateway.problems import REQUEST_INVALID
from kernel.errors import define
from proto.logsink.v1 import logsink_pb2
from proto.orchestrator.v1 import explain_pb2

REQUEST_UNKNOWN = define(
    "REQUEST_UNKNOWN",
    source="client",
    status=404,
    hint="requests are found some seconds after they ended and for a week; is it a request of this project?",
)
SEEN: Final = ("instance", "in_flight", "failures", "streak", "aside_s", "aside_why")
PAGES: Final = 16  # of the log, newest first, each some 30 MB of requests
WEEK_US: Final = 7 * 86_400 * 1_000_000


async def show(call: Call, query: models.ExplainQuery) -> models.RequestExplained | models.AddressExplained:
    """GET /v1/projects/{project}/explain: tells why a request was answered so, or what an address would meet.

    Facts, and `said`, which tells them.
    """
    if bool(query.request) == bool(query.url):
        raise REQUEST_INVALID("name either request or url")
    return await (_request(call, query.request) if query.request else _address(call, query.url))


async def _request(call: Call, wanted: str) -> models.RequestExplained:
    asked = logsink_pb2.ListRequestsRequest(
        project_id=call.found.id, id=wanted, limit=1, since_us=time.time_ns() // 1000 - WEEK_US
    )
    for _ in range(PAGES):
        found = await call.clients.logs.ListRequests(asked)
        if found.requests.at_us:
            one = requests(found.requests)[0]
            return {"request": one, "said": explain.of_request(one)}
        if not found.next_until_us:
            break
        asked.until_us = found.next_until_us
    raise REQUEST_UNKNOWN(f"no request {wanted[:80]!r} is in the log")


async def _address(call: Call, url: str) -> models.AddressExplained:
    try:
        parts = urlsplit(url if "//" in url else f"//{url}")
    except ValueError as error:  # brackets that hold no IPv6 address
        raise REQUEST_INVALID(f"url is none: {error}") from error
    if not parts.netloc or "@" in parts.netloc:
        raise REQUEST_INVALID("url is an address such as https://www.example.org/path")
    asked = explain_pb2.ExplainAddressRequest(
        project_id=call.found.id, host=parts.netloc, path=parts.path or "/", scheme=parts.scheme
    )
    found = await call.clients.explain.ExplainAddress(asked)
    route = orjson.loads(found.route) if found.route else None
    releases: list[models.ServingShape] = [
        {"id": one.id, "share": one.share, "state": one.state, "instances": list(one.instances)}
        for one in found.releases
    ]
    since = max([route["version"] if route else 0, *(one.version for one in found.releases)])
    routers: list[models.RouterShape] = [
        {"id": one.id, "version": one.version, "current": one.version >= since} for one in found.routers
    ]
    router = _seen(orjson.loads(found.lookup)) if found.lookup else None
    return {
        "route": route,
        "releases": releases,
        "routers": routers,
        "router": router,
        "said": explain.of_address(f"{parts.netloc}{parts.path or '/'}", route, releases, routers, router),
    }


def _seen(lookup: dict[str, Any]) -> models.SightShape:
    """What a router told, without the addresses inside the platform."""
    releases = lookup.get("releases") or []
    return {
        "rules": lookup.get("rules") or [],
        "waiting": sum(release.get("waiting", 0) for release in releases),
        "instances": [
            {name: one[name] for name in SEEN} for release in releases for one in release.get("endpoints") or ()
        ],
    }
