"""Reads the forms of our pages, and of no others' (cross-site request forgery)."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from aiohttp import web

from control.gateway.browser.cookies import Cookies, form_token
from control.gateway.call import Call
from kernel.errors import define

FORM_INVALID = define(
    "FORM_INVALID", source="client", status=403, hint="open the page again, in one browser that keeps cookies"
)
VALUE_LENGTH: Final = 4096  # characters
FIELDS: Final = 20
TOKEN: Final = "form"  # noqa: S105 - a field's name


async def read(call: Call) -> Mapping[str, str]:
    """The fields of a form.

    Raises:
        ShipoffError: FORM_INVALID unless it was sent by a page of ours, in the browser that got the page.
    """
    request = call.request
    if request.content_type != "application/x-www-form-urlencoded":
        raise FORM_INVALID("this is no form of ours")
    if not _is_ours(request):
        raise FORM_INVALID("the form was sent by another site")
    try:
        given = await request.post()
    except (ValueError, LookupError) as error:  # no text, or no charset
        raise FORM_INVALID("the form is malformed") from error
    fields = {name: value for name, value in given.items() if isinstance(value, str)}
    if len(given) > FIELDS or any(len(value) > VALUE_LENGTH or "\0" in value for value in fields.values()):
        raise FORM_INVALID("the form is not as our page sends it")
    page = Cookies.of(call).page()
    if not page or not hmac.compare_digest(fields.get(TOKEN, "").encode(), form_token(page).encode()):
        raise FORM_INVALID("the form is of another browser, or its page is too old")
    return fields


def _is_ours(request: web.Request) -> bool:
    """By what browsers say of where a request comes from, which pages can't change (Fetch, sections 3.2 and 3.7)."""
    if request.headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none"):
        return False
    origin = request.headers.get("Origin", "")
    return not origin or urlsplit(origin).netloc == request.headers.get("Host", "")
