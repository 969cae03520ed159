"""Renders the pages, and the redirects between them."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

from aiohttp import web

from control.gateway.browser import cookies
from control.gateway.browser.cookies import Cookies
from control.gateway.call import Call
from kernel.errors import ShipoffError
from kernel.telemetry import request_id

if TYPE_CHECKING:
    from jinja2 import Environment

# What stands in an address (codes, states) is told to no other site, and nothing is kept by whoever is on the way. With
# `no-referrer` browsers would hide the origin of our own forms too (Fetch, section 3.2), by which forms.py knows them.
HEADERS: Final = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "same-origin",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
}


def render(call: Call, template: str, *, status: int = 200, goes_to: str = "", **values: Any) -> web.Response:
    """A page, with the token of its forms.

    Args:
        call: that it answers.
        template: its name, without the ending.
        status: of the answer.
        goes_to: another origin that its form's answer redirects to; browsers check that too (CSP, form-action).
        values: what the template names.
    """
    kept = Cookies.of(call)
    page = kept.page() or cookies.fresh()
    made = _environment().get_template(f"{template}.html")
    text = made.render(form_token=cookies.form_token(page), style=_style()[0], **values)
    response = web.Response(status=status, text=text, content_type="text/html", headers=HEADERS)
    response.headers["Content-Security-Policy"] = _policy(goes_to)
    kept.put(response, cookies.PAGE, page, cookies.PAGE_S)
    return response


def problem(call: Call, error: ShipoffError) -> web.Response:
    """An error for a person, with the platform's code."""
    status = error.status
    return render(call, "error", status=status, error=error, request_id=request_id.get() if status >= 500 else "")


def redirect(where: str) -> web.Response:
    """Sends the browser on, by GET."""
    return web.Response(status=303, headers={**HEADERS, "Location": where})


def wants_page(request: web.Request) -> bool:
    """Whether a browser with a person before it asks, and not a program."""
    return "text/html" in request.headers.get("Accept", "")


def _policy(goes_to: str) -> str:
    return (
        f"default-src 'none'; style-src 'sha256-{_style()[1]}'; form-action 'self'{goes_to and ' ' + goes_to}; "
        "frame-ancestors 'none'; base-uri 'none'"
    )


@cache
def _style() -> tuple[str, str]:
    """The one style sheet and its hash."""
    text = files("control.gateway.browser").joinpath("templates/style.css").read_text()
    return text, base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


@cache
def _environment() -> Environment:
    # Imported here: most gateways show no page for long.
    from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

    return Environment(
        loader=PackageLoader("control.gateway.browser"),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
