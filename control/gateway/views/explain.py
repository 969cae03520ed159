"""Why a request was answered as it was, and what an address would be answered with."""

from __future__ import annotations

import time
from typing import Any, Final
from urllib.parse import urlsplit

import orjson
from aiohttp import web

from control.gateway import body, explain, present
from control.gateway.call import Call
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


async def show(call: Call) -> web.Response:
    """GET /v1/projects/{project}/explain?request=ID | ?url=URL: facts, and `said`, which tells them."""
    project = await call.project()
    wanted, url = call.request.query.get("request", ""), call.request.query.get("url", "")
    if bool(wanted) == bool(url):
        raise REQUEST_INVALID("name either request or url")
    found = await (_request(call, project.id, wanted) if wanted else _address(call, project.id, url))
    return body.answer(found)


async def _request(call: Call, project_id: str, wanted: str) -> dict[str, Any]:
    asked = logsink_pb2.ListRequestsRequest(
        project_id=project_id, id=wanted, limit=1, since_us=time.time_ns() // 1000 - WEEK_US
    )
    for _ in range(PAGES):
        found = await call.parts.clients.logs.ListRequests(asked)
        if found.requests.at_us:
            one = present.requests(found.requests)[0]
            return {"request": one, "said": explain.of_request(one)}
        if not found.next_until_us:
            break
        asked.until_us = found.next_until_us
    raise REQUEST_UNKNOWN(f"no request {wanted[:80]!r} is in the log")


async def _address(call: Call, project_id: str, url: str) -> dict[str, Any]:
    parts = urlsplit(url if "//" in url else f"//{url}")
    if not parts.netloc or "@" in parts.netloc:
        raise REQUEST_INVALID("url is an address such as https://www.example.org/path")
    asked = explain_pb2.ExplainAddressRequest(
        project_id=project_id, host=parts.netloc, path=parts.path or "/", scheme=parts.scheme
    )
    found = await call.parts.clients.explain.ExplainAddress(asked)
    route = orjson.loads(found.route) if found.route else None
    releases = [
        {"id": one.id, "share": one.share, "state": one.state, "instances": list(one.instances)}
        for one in found.releases
    ]
    since = max([route["version"] if route else 0, *(one.version for one in found.releases)])
    routers = [{"id": one.id, "version": one.version, "current": one.version >= since} for one in found.routers]
    router = _seen(orjson.loads(found.lookup)) if found.lookup else None
    return {
        "route": route,
        "releases": releases,
        "routers": routers,
        "router": router,
        "said": explain.of_address(f"{parts.netloc}{parts.path or '/'}", route, releases, routers, router),
    }


def _seen(lookup: dict[str, Any]) -> dict[str, Any]:
    """What a router told, without the addresses inside the platform."""
    releases = lookup.get("releases") or []
    return {
        "rules": lookup.get("rules") or [],
        "waiting": sum(release.get("waiting", 0) for release in releases),
        "instances": [
            {name: one[name] for name in SEEN} for release in releases for one in release.get("endpoints") or ()
        ],
    }
