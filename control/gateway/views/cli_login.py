"""The page that `shipoff login` opens: may the command line on this computer have a session?

The answer goes to the program's port on loopback (RFC 8252, section 7.3), as a code that only the program can exchange,
because only it knows the verifier. The person is asked each time, however they are signed in (section 8.6).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlencode

from aiohttp import web

from control.gateway.browser import entry, forms, places
from control.gateway.browser.page import redirect, render
from control.gateway.browser.shown import shown
from control.gateway.call import Call
from kernel.errors import define
from proto.auth.v1 import oauth_pb2

CLI_REQUEST_INVALID = define("CLI_REQUEST_INVALID", source="client", status=400, hint="begin again with: shipoff login")
PAGE: Final = "/login/cli"
PORTS: Final = range(1024, 65536)
NAME_LENGTH: Final = 100
_FORMS: Final = {
    "challenge": re.compile(r"[A-Za-z0-9_-]{43}"),
    "state": re.compile(r"[A-Za-z0-9_-]{16,128}"),
    "port": re.compile(r"[0-9]{4,5}"),
}


@shown
async def page(call: Call) -> web.Response:
    """GET /login/cli: asks whether a program on this computer may be signed in."""
    asked = _asked(call.request.query)
    account = await entry.who(call)
    if account is None:
        return redirect(places.sign_in(_again(asked)))
    name = asked["name"] or "shipoff"
    return render(call, "cli", goes_to=_origin(asked), asked=asked, name=name, email=account.email)


@shown
async def answer(call: Call) -> web.Response:
    """POST /login/cli: takes the answer to the program, and ends the session of these pages."""
    fields = await forms.read(call)
    asked = _asked(fields)
    if await entry.who(call) is None:
        return redirect(places.sign_in(_again(asked)))
    if fields.get("answer") == "other":
        return await entry.leave(call, redirect(places.sign_in(_again(asked))))
    if fields.get("answer") != "yes":
        return await entry.leave(call, _to_program(asked, error="access_denied"))
    granted = await call.clients.oauth.GrantCode(oauth_pb2.GrantCodeRequest(challenge=asked["challenge"]))
    return await entry.leave(call, _to_program(asked, code=granted.code))


def _asked(given: Mapping[str, str]) -> dict[str, str]:
    """What the program asks for.

    Raises:
        ShipoffError: CLI_REQUEST_INVALID.
    """
    found = {name: given.get(name, "") for name in _FORMS}
    wrong = [name for name, form in _FORMS.items() if not form.fullmatch(found[name])]
    if wrong or int(found["port"]) not in PORTS:
        raise CLI_REQUEST_INVALID(f"the program did not say {', '.join(wrong) or 'a port'} as it should")
    name = given.get("name", "")[:NAME_LENGTH]
    return {**found, "name": name if name.isprintable() else ""}


def _origin(asked: Mapping[str, str]) -> str:
    return f"http://127.0.0.1:{int(asked['port'])}"


def _to_program(asked: Mapping[str, str], **told: str) -> web.Response:
    return redirect(f"{_origin(asked)}/callback?" + urlencode({**told, "state": asked["state"]}))


def _again(asked: Mapping[str, str]) -> str:
    return f"{PAGE}?{urlencode(asked)}"
