"""Signing in by other providers: a browser's way there and back, and the identities that one has linked."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from control.gateway.browser import cookies
from control.gateway.browser.cookies import Cookies
from control.gateway.browser.page import redirect
from control.gateway.browser.shown import shown
from control.gateway.call import Call
from control.gateway.models import auth as auth_models
from control.gateway.models import oauth as models
from control.gateway.problems import ChallengeError
from control.gateway.sender import client
from proto.auth.v1 import oauth_pb2, sessions_pb2

PROVIDER_S: Final = 25.0  # a provider is asked several things, and may be slow
LENGTH: Final = 4096  # of what a provider adds to an address


async def providers(call: Call) -> models.ProviderList:
    """GET /v1/auth/providers: lists the providers that one may sign in with."""
    found = await call.clients.oauth.ListProviders(oauth_pb2.ListProvidersRequest())
    return {"providers": [models.provider(one) for one in found.providers]}


@shown
async def start(call: Call) -> web.Response:
    """GET /v1/auth/oauth/{provider}/start: sends a browser to a provider, to come back to `redirect` with a `code`.

    Parameters: `redirect`, a page of the dashboard or `/login/return`; `challenge`, the unpadded base64url of the
    SHA-256 of a verifier, which the exchange of the code must show (RFC 7636); `link=1` to link an identity instead.
    """
    query = call.request.query
    request = oauth_pb2.StartFlowRequest(
        provider=call.named("provider"),
        redirect=_part(call, "redirect"),
        challenge=_part(call, "challenge"),
        link=query.get("link", "") == "1",
    )
    return await to_provider(call, request)


@shown
async def callback(call: Call) -> web.Response:
    """GET /v1/auth/oauth/{provider}/callback: where a provider sends a browser back to; it goes on to its `redirect`.

    There it brings `code`, or `error` (a code of this platform's) and `error_description`.
    """
    kept, state = Cookies.of(call), _part(call, "state")
    request = oauth_pb2.FinishFlowRequest(
        provider=call.named("provider"),
        state=state,
        browser=kept.get(cookies.flow_name(state)).encode(errors="replace").decode(),
        code=_part(call, "code"),
        issuer=_part(call, "iss"),
        error=_part(call, "error"),
    )
    answer = await call.clients.oauth.FinishFlow(request, timeout=PROVIDER_S)
    response = redirect(answer.redirect)
    kept.drop(response, cookies.flow_name(state))
    return response


async def exchange(call: Call, body: models.ExchangeCode) -> auth_models.TokensShape:
    """POST /v1/auth/oauth/token: opens a session with the code that a browser brought back.

    With a second factor it is refused with 401 `TWO_FACTOR_REQUIRED` and a `challenge`, as a login is.
    """
    request = oauth_pb2.ExchangeCodeRequest(code=body.code, verifier=body.verifier, client=client(call.request))
    return tokens_of(await call.clients.oauth.ExchangeCode(request))


async def identities(call: Call) -> models.IdentityList:
    """GET /v1/me/identities: lists the providers that one has linked."""
    found = await call.clients.oauth.ListIdentities(oauth_pb2.ListIdentitiesRequest())
    return {"identities": [models.identity(one) for one in found.identities]}


async def link(call: Call, body: models.ExchangeCode) -> models.IdentityList:
    """POST /v1/me/identities: links who one is at a provider, by the code of a start with `link=1`."""
    request = oauth_pb2.LinkIdentityRequest(code=body.code, verifier=body.verifier, client=client(call.request))
    await call.clients.oauth.LinkIdentity(request)
    return await identities(call)


async def unlink(call: Call) -> None:
    """DELETE /v1/me/identities/{identity}: unlinks one, unless it is the last way into the account."""
    request = oauth_pb2.UnlinkIdentityRequest(identity_id=call.named("identity"), client=client(call.request))
    await call.clients.oauth.UnlinkIdentity(request)


async def to_provider(call: Call, request: oauth_pb2.StartFlowRequest) -> web.Response:
    """Begins a way to a provider: the redirect there, with the cookie by which the browser is known again."""
    started = await call.clients.oauth.StartFlow(request, timeout=PROVIDER_S)
    response = redirect(started.url)
    Cookies.of(call).put(response, cookies.flow_name(started.state), started.browser, cookies.FLOW_S)
    return response


def tokens_of(outcome: sessions_pb2.LoginResponse) -> auth_models.TokensShape:
    """The tokens of who has proven who they are.

    Raises:
        ShipoffError: TWO_FACTOR_REQUIRED.
    """
    if outcome.HasField("challenge"):
        raise ChallengeError(outcome.challenge.token)
    return auth_models.tokens(outcome.tokens)


def _part(call: Call, name: str) -> str:
    """A parameter of the address, "" when it is missing or no text of sensible length."""
    value = call.request.query.get(name, "")
    return value if len(value) <= LENGTH and value.isprintable() else ""
