"""The pages on which people sign in, to answer a program that wants to be."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Final

import orjson
from aiohttp import web

from control.gateway.browser import cookies, entry, forms, places
from control.gateway.browser.cookies import Cookies
from control.gateway.browser.page import redirect, render
from control.gateway.browser.shown import shown
from control.gateway.call import Call
from control.gateway.sender import client
from control.gateway.views.oauth import to_provider
from kernel.errors import ShipoffError, define
from proto.auth.v1 import oauth_pb2, sessions_pb2

WAY_LOST = define("WAY_LOST", source="client", status=400, hint="begin again, in a browser that keeps cookies")
RETURN: Final = "/login/return"


@shown
async def page(call: Call) -> web.Response:
    """GET /login: asks for a password, or offers providers; who is signed in goes on to `next`."""
    next_page = places.next_of(call.request.query.get("next", ""))
    if await entry.who(call) is not None:
        return redirect(next_page)
    return await _form(call, next_page)


@shown
async def sign_in(call: Call) -> web.Response:
    """POST /login: takes the password."""
    fields = await forms.read(call)
    email, password = fields.get("email", ""), fields.get("password", "")
    next_page = places.next_of(fields.get("next", ""))
    request = sessions_pb2.LoginRequest(email=email, password=password, client=client(call.request))
    try:
        outcome = await call.clients.sessions.Login(request)
    except ShipoffError as error:
        return await _form(call, next_page, error, email)
    return entry.enter(call, outcome, next_page)


@shown
async def second_factor(call: Call) -> web.Response:
    """POST /login/code: takes the code of the second factor."""
    fields = await forms.read(call)
    next_page, challenge = places.next_of(fields.get("next", "")), fields.get("challenge", "")
    request = sessions_pb2.LoginTwoFactorRequest(
        challenge=challenge, code=fields.get("code", ""), client=client(call.request)
    )
    try:
        tokens = await call.clients.sessions.LoginTwoFactor(request)
    except ShipoffError as error:
        if error.status == 422:  # a wrong code, and not a challenge that is over
            text = f"{error.detail} ({error.hint})"
            return render(call, "second_factor", status=422, next=next_page, challenge=challenge, error=text)
        return await _form(call, next_page, error)
    return entry.enter(call, sessions_pb2.LoginResponse(tokens=tokens), next_page)


@shown
async def go(call: Call) -> web.Response:
    """GET /login/with/{provider}: sends the browser to a provider, to come back to `/login/return`."""
    verifier = cookies.fresh()
    request = oauth_pb2.StartFlowRequest(
        provider=call.named("provider"), redirect=RETURN, challenge=cookies.challenge_of(verifier)
    )
    response = await to_provider(call, request)
    way = {"verifier": verifier, "next": places.next_of(call.request.query.get("next", ""))}
    kept = base64.urlsafe_b64encode(orjson.dumps(way)).decode()
    Cookies.of(call).put(response, cookies.WAY, kept, cookies.FLOW_S)
    return response


@shown
async def back(call: Call) -> web.Response:
    """GET /login/return: takes a browser that comes back from a provider, with a code or without."""
    kept, query = Cookies.of(call), call.request.query
    way = _way(kept.get(cookies.WAY))
    next_page = places.next_of(way.get("next", ""))
    if "code" not in query:
        told = query.get("error_description", "the provider did not say who you are")
        response = await _form(call, next_page, WAY_LOST(told[:200], hint="") if "error" in query else None)
    else:
        request = oauth_pb2.ExchangeCodeRequest(
            code=query["code"].encode(errors="replace").decode(),
            verifier=way.get("verifier", ""),
            client=client(call.request),
        )
        if not way:
            raise WAY_LOST("this browser did not begin this sign-in")
        try:
            response = entry.enter(call, await call.clients.oauth.ExchangeCode(request), next_page)
        except ShipoffError as error:
            response = await _form(call, next_page, error)
    kept.drop(response, cookies.WAY)
    return response


async def _form(call: Call, next_page: str, error: ShipoffError | None = None, email: str = "") -> web.Response:
    found = await call.clients.oauth.ListProviders(oauth_pb2.ListProvidersRequest())
    text = "" if error is None else error.detail + (f" ({error.hint})" if error.hint else "")
    status = 200 if error is None else error.status
    return render(call, "sign_in", status=status, providers=found.providers, next=next_page, email=email, error=text)


def _way(kept: str) -> Mapping[str, str]:
    """What the cookie keeps of a way to a provider; it is the browser's own, so it may be anything."""
    try:
        value = orjson.loads(base64.urlsafe_b64decode(kept))
    except (binascii.Error, ValueError):
        return {}
    if not isinstance(value, dict):
        return {}
    return {str(name): text for name, text in value.items() if isinstance(text, str)}
