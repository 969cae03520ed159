"""Who is signed in on our pages: a session like any other, whose access token is in a cookie for ten minutes.

Its refresh token is dropped, so nothing on these pages outlives that, and when its holder has answered it ends.
"""

from __future__ import annotations

import logging

from aiohttp import web

from control.gateway.admission import admit
from control.gateway.browser import cookies
from control.gateway.browser.cookies import Cookies
from control.gateway.browser.page import redirect, render
from control.gateway.call import Call
from control.gateway.frame import address
from control.gateway.sender import client
from kernel.errors import ShipoffError
from proto.auth.v1 import auth_pb2, sessions_pb2

log = logging.getLogger(__name__)


async def who(call: Call) -> auth_pb2.Account | None:
    """The account that is signed in, for which the other services are called from here on; None for nobody."""
    token = Cookies.of(call).get(cookies.SIGNED_IN)
    if not token or not token.isascii():
        return None
    try:
        return (await admit(call.clients, token, address.of(call.request))).account
    except ShipoffError as error:
        if error.status != 401:
            raise
        return None


def enter(call: Call, outcome: sessions_pb2.LoginResponse, next_page: str) -> web.Response:
    """What follows a proof of who somebody is: the next page, or the question for a second factor."""
    if outcome.HasField("challenge"):
        return render(call, "second_factor", next=next_page, challenge=outcome.challenge.token, error="")
    response = redirect(next_page)
    Cookies.of(call).put(response, cookies.SIGNED_IN, outcome.tokens.access_token, cookies.SIGNED_IN_S)
    return response


async def leave(call: Call, response: web.Response) -> web.Response:
    """Ends the session of these pages, if there is one; `response` takes its cookie away."""
    Cookies.of(call).drop(response, cookies.SIGNED_IN)
    try:
        if await who(call) is not None:
            await call.clients.sessions.Logout(sessions_pb2.LogoutRequest(client=client(call.request)))
    except ShipoffError as error:
        log.warning("the session of a sign-in page could not be ended: %s", error)  # it is of no use without its cookie
    return response
