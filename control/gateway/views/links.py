"""The pages that links in mails open: a form, sent by a person, because mail scanners open links too.

The token stands in the address, so nothing is loaded from elsewhere, no Referer leaves, and nobody keeps the page.
"""

from __future__ import annotations

import base64
import hashlib
import re
from html import escape
from importlib.resources import files
from typing import Final

from aiohttp import web

from control.gateway.call import Call
from control.gateway.problems import REQUEST_INVALID
from control.gateway.sender import client
from kernel.errors import ShipoffError
from proto.auth.v1 import accounts_pb2

FRAME: Final = files("control.gateway").joinpath("pages/form.html").read_text()
_STYLE: Final = base64.b64encode(hashlib.sha256(FRAME.split("<style>")[1].split("</style>")[0].encode()).digest())
HEADERS: Final = {
    "Content-Security-Policy": (
        f"default-src 'none'; style-src 'sha256-{_STYLE.decode()}'; form-action 'self'; "
        "frame-ancestors 'none'; base-uri 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "X-Frame-Options": "DENY",
}
VERIFY: Final = "Confirm your e-mail address"
RESET: Final = "Set a new password"
JOIN: Final = "You are invited"
_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]{1,200}")
_FIELDS: Final = {
    "/verify": "<p>Is this address yours?</p>",
    "/reset": (
        '<label for="password">New password</label>'
        '<input id="password" name="password" type="password" autocomplete="new-password" minlength="10" required>'
    ),
}
_BUTTONS: Final = {"/verify": "Yes, confirm it", "/reset": "Set it"}


async def verify_page(call: Call) -> web.Response:
    """GET /verify: asks whoever opened the link of a mail whether the address is theirs."""
    return _form("/verify", VERIFY, call.request.query.get("token", ""))


async def verify(call: Call) -> web.Response:
    """POST /verify: proves the address."""
    token = (await _sent(call.request)).get("token", "")
    try:
        answer = await call.clients.accounts.Verify(
            accounts_pb2.VerifyRequest(token=token, client=client(call.request))
        )
    except ShipoffError as error:
        return _page(VERIFY, _wrong(error), error)
    return _page("Confirmed", f"<p>{escape(answer.email)} is yours. You can sign in now.</p>")


async def reset_page(call: Call) -> web.Response:
    """GET /reset: asks whoever opened the link of a mail for a new password."""
    return _form("/reset", RESET, call.request.query.get("token", ""))


async def reset(call: Call) -> web.Response:
    """POST /reset: sets the password; a weak one is asked for again."""
    sent = await _sent(call.request)
    token, password = sent.get("token", ""), sent.get("password", "")
    try:
        request = accounts_pb2.ResetPasswordRequest(token=token, password=password, client=client(call.request))
        await call.clients.accounts.ResetPassword(request)
    except ShipoffError as error:
        if error.status == 422:
            return _form("/reset", RESET, token, error)
        return _page(RESET, _wrong(error), error)
    return _page("Password set", "<p>All sessions were signed out. You can sign in with the new password now.</p>")


async def accept_page(call: Call) -> web.Response:
    """GET /invitations/accept: tells whoever opened an invitation how to accept it: signed in, which a page is not."""
    token = call.request.query.get("token", "")
    if not _TOKEN.fullmatch(token):
        return _form("/invitations/accept", JOIN, "")
    return _page(JOIN, f"<p>Sign in with <code>shipoff login</code>, then:</p><p><code>shipoff join {token}</code></p>")


async def _sent(request: web.Request) -> dict[str, str]:
    """The fields of a form.

    Raises:
        ShipoffError: REQUEST_INVALID.
    """
    if request.content_type != "application/x-www-form-urlencoded":
        raise REQUEST_INVALID("this takes a form")
    try:
        sent = await request.post()
    except ValueError as error:
        raise REQUEST_INVALID("the form is malformed") from error
    fields = {name: value for name, value in sent.items() if isinstance(value, str)}
    if any("\0" in value or not value.isprintable() for value in fields.values()):
        raise REQUEST_INVALID("the form holds characters that no token and no password has")
    return fields


def _form(path: str, title: str, token: str, error: ShipoffError | None = None) -> web.Response:
    if not _TOKEN.fullmatch(token):
        return _page(title, '<p class="wrong">The link is not whole. Copy all of it from the mail.</p>', status=400)
    body = (
        f'<form method="post" action="{path}">{"" if error is None else _wrong(error)}{_FIELDS[path]}'
        f'<input type="hidden" name="token" value="{escape(token)}"><button>{_BUTTONS[path]}</button></form>'
    )
    return _page(title, body, error)


def _wrong(error: ShipoffError) -> str:
    said = f"{error.detail[:1].upper()}{error.detail[1:]}."
    hint = f" {error.hint[:1].upper()}{error.hint[1:]}".rstrip(".") + "." if error.hint else ""
    return f'<p class="wrong">{escape(said + hint)}</p>'


def _page(title: str, body: str, error: ShipoffError | None = None, *, status: int = 200) -> web.Response:
    page = FRAME.replace("{{title}}", escape(title)).replace("{{body}}", body)
    return web.Response(
        text=page, content_type="text/html", status=status if error is None else error.status, headers=HEADERS
    )
