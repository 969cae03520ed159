"""One route, from a request to its answer: every stage in its order."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import partial
from typing import Any, Final

from aiohttp import web

from control.gateway import body, stream
from control.gateway.admission import NOBODY, Visitor, admit, shown
from control.gateway.call import Call, Parts
from control.gateway.frame import address
from control.gateway.frame.conditional import PRECONDITION_FAILED, fresh, matches, tag_of
from control.gateway.frame.idempotency import attempt_of
from control.gateway.handler import contract_of
from control.gateway.needs import PUBLIC, OnTeam, of_project, personal_team, require_on_team
from control.gateway.routes import Route
from kernel.authority import Permission, require
from kernel.errors import NOT_FOUND
from proto.projects.v1 import projects_pb2

AUTH: Final = ("/v1/auth/", "/login", "/device", "/verify", "/reset")  # where secrets are tried out
PROJECT: Final = "project"
TEAM: Final = "team"
STANDING: Final = "standing"
STREAMS: Final = "streams"
CHANGES: Final = frozenset({"PUT", "PATCH", "DELETE"})


class Bound:
    """A route with the gateway's parts.

    Args:
        route: of the table.
        twin: the GET route of the same path, which `If-Match` is about; None when there is none.
        parts: of the gateway.
    """

    def __init__(self, route: Route, twin: Route | None, parts: Parts) -> None:
        self._route, self._twin, self._parts = route, twin, parts
        self._contract = contract_of(route.handler)
        self._streams = route.streams or self._contract.streams

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answers.

        Raises:
            ShipoffError: whatever refuses it.
        """
        request[STREAMS] = self._streams
        limit_s = self._parts.settings.request_s
        async with asyncio.timeout(limit_s):
            call = Call(request, self._parts, await self._admit(request))
            await resolve(self._route, call)
            given = await self._read(call)
            if self._keyed(request) and (attempt := await attempt_of(request, _named(call.visitor))):
                return await self._parts.replays.answer(attempt, lambda: self._produce(call, given))
            await self._precondition(call, given)
        if not self._streams:
            return await self._produce(call, given)
        call.still = None if self._route.needs is PUBLIC else partial(self._still, request)
        answer: web.StreamResponse | stream.Stream[Any] = await self._route.handler(call, **given)
        if isinstance(answer, stream.Stream):
            return await stream.send(request, answer, call.headers, call.still, self._parts.settings.ask_again_s)
        return answer

    def _keyed(self, request: web.Request) -> bool:
        """Whether an idempotency key is looked at: of strangers nobody could tell one from the other."""
        return request.method == "POST" and not self._contract.raw and self._route.needs is not PUBLIC

    async def _still(self, request: web.Request) -> None:
        """Raises when whoever reads a stream may not any more."""
        visitor = await admit(self._parts.clients, shown(request), address.of(request))
        await resolve(self._route, Call(request, self._parts, visitor))

    async def _admit(self, request: web.Request) -> Visitor:
        settings, limiter = self._parts.settings, self._parts.limiter
        site = address.site(address.of(request))
        if self._route.path.startswith(AUTH):
            request[STANDING] = await limiter.hit("auth", site, settings.rate_auth)
        else:
            request[STANDING] = await limiter.hit("address", site, settings.rate_address)
        if self._route.needs is PUBLIC:
            return NOBODY
        visitor = await admit(self._parts.clients, shown(request), address.of(request))
        request[STANDING] = await limiter.hit("credential", _named(visitor), settings.rate_credential)
        return visitor

    async def _read(self, call: Call) -> dict[str, Any]:
        given: dict[str, Any] = {}
        if not self._contract.raw:
            query = body.query(call.request, self._contract.query)
            if self._contract.query is not None:
                given["query"] = query
        if self._contract.body is not None:
            given["body"] = await body.read(call.request, self._contract.body)
        if isinstance(self._route.needs, OnTeam) and TEAM not in call.request.match_info:
            call.team = getattr(given.get("body"), TEAM, "") or personal_team(call.who)
            require_on_team(self._route.needs.permission, call.team)
        return given

    async def _precondition(self, call: Call, given: Mapping[str, Any]) -> None:
        """Refuses a change of what is not any more as the client saw it.

        Raises:
            ShipoffError: PRECONDITION_FAILED.
        """
        shown_tag = call.request.headers.get("If-Match")
        if shown_tag is None or call.request.method not in CHANGES:
            return
        if self._twin is None or not contract_of(self._twin.handler).answers:
            raise PRECONDITION_FAILED("this has no ETag", hint="send the request without If-Match")
        query = contract_of(self._twin.handler).query
        now = await self._twin.handler(call, **({"query": query()} if query else {}))
        if not matches(shown_tag, tag_of(body.encode(now))):
            raise PRECONDITION_FAILED("it has changed since you read it")
        change = given.get("body")
        if getattr(change, "expect_version", None) == 0 and now.get("version"):
            change.expect_version = now["version"]  # type: ignore[union-attr]  # it has the field

    async def _produce(self, call: Call, given: Mapping[str, Any]) -> web.Response:
        async with asyncio.timeout(self._parts.settings.request_s):
            answer = await self._route.handler(call, **given)
        if isinstance(answer, web.StreamResponse):
            return answer  # type: ignore[return-value]  # a web.Response: what streams is not produced
        if answer is None:
            return web.Response(status=self._route.status, headers=call.headers)
        if self._route.secret or call.request.method not in ("GET", "HEAD"):
            call.headers.setdefault("Cache-Control", "no-store")
        made = web.Response(
            status=self._route.status, body=body.encode(answer), content_type="application/json", headers=call.headers
        )
        return fresh(call.request, made)


def _named(visitor: Visitor) -> str:
    """The credential by its id; of one account there may be greater and lesser ones."""
    return visitor.who.credential_id or visitor.who.actor_id


async def resolve(route: Route, call: Call) -> None:
    """Finds what the path names, and asks whether the sender may.

    Raises:
        ShipoffError: PROJECT_NOT_FOUND or TEAM_NOT_FOUND for those who may not even read it; PERMISSION_DENIED.
    """
    named = call.request.match_info
    if any("\0" in part for part in named.values()):
        raise NOT_FOUND("there is nothing at this address")
    match route.needs:
        case Permission() as permission:
            wanted = projects_pb2.GetProjectRequest(project=named[PROJECT])
            call.found = await call.clients.projects.GetProject(wanted)
            require(permission, of_project(call.found))
        case OnTeam(permission) if TEAM in named:
            call.team = named[TEAM]
            require_on_team(permission, call.team)
