"""The page on which a person types the code that a program without a browser shows (RFC 8628, section 3.3)."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlencode

from aiohttp import web

from control.gateway.browser import entry, forms, places
from control.gateway.browser.page import redirect, render
from control.gateway.browser.shown import shown
from control.gateway.call import Call
from control.gateway.models.base import time_of
from kernel.errors import ShipoffError
from proto.auth.v1 import auth_pb2, oauth_pb2

PAGE: Final = "/device"
LENGTH: Final = 40
YES, NO, OTHER = "yes", "no", "other"


@shown
async def page(call: Call) -> web.Response:
    """GET /device: asks for the code; one in the address is shown, and has to be sent by a person all the same."""
    code = call.request.query.get("code", "")[:LENGTH]
    account = await entry.who(call)
    if account is None:
        return redirect(places.sign_in(f"{PAGE}?{urlencode({'code': code})}" if code else PAGE))
    return render(call, "device", code=code, email=account.email, error="")


@shown
async def answer(call: Call) -> web.Response:
    """POST /device: shows which program has the code, and then takes the answer to it."""
    fields = await forms.read(call)
    code, said = fields.get("code", "")[:LENGTH], fields.get("answer", "")
    account = await entry.who(call)
    if account is None:
        return redirect(places.sign_in(PAGE))
    if said == OTHER:
        return await entry.leave(call, redirect(places.sign_in(PAGE)))
    try:
        if said in (YES, NO):
            return await _answered(call, code, approve=said == YES)
        return await _question(call, code, account)
    except ShipoffError as error:
        if error.status not in (404, 429):
            raise
        text = f"{error.detail} ({error.hint})"
        return render(call, "device", status=error.status, code=code, email=account.email, error=text)


async def _question(call: Call, code: str, account: auth_pb2.Account) -> web.Response:
    device = await call.clients.oauth.GetDevice(oauth_pb2.GetDeviceRequest(user_code=code))
    at = time_of(device.created_at_ms)[:16].replace("T", " ") + " UTC"
    return render(call, "device_question", device=device, at=at, code=code, email=account.email)


async def _answered(call: Call, code: str, *, approve: bool) -> web.Response:
    await call.clients.oauth.AnswerDevice(oauth_pb2.AnswerDeviceRequest(user_code=code, approve=approve))
    title = "The device is signed in" if approve else "The device is not signed in"
    return await entry.leave(call, render(call, "done", title=title, text="You can close this page."))
