"""The router's own answers as people and programs read them: HTML for browsers, JSON (RFC 9457) for programs, or text.

Core/media.py chooses. All show the code, what happened, what to do, and the request id, and no detail of the platform's
inside. The pages need nothing from elsewhere and say so by a policy that allows their one style sheet and nothing else;
whatever stands in them is escaped and bounded.
"""

from __future__ import annotations

import re
import time
from base64 import b64encode
from hashlib import sha256
from html import escape
from pathlib import Path
from string import Template
from typing import Final

import orjson

from kernel.errors import ErrorKind
from router.core.media import HTML, JSON, TEXT, preferred

_HERE: Final = Path(__file__).parent
_STYLE: Final = (_HERE / "page.css").read_text().strip()
_PAGE: Final = Template((_HERE / "error.html").read_text())
# Pages of their own, by code.
_PAGES: Final = {"ASLEEP": Template((_HERE / "waking.html").read_text())}
_HASH: Final = b64encode(sha256(_STYLE.encode()).digest()).decode()
_POLICY: Final = (
    f"default-src 'none'; style-src 'sha256-{_HASH}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_MEDIA: Final = {
    JSON: "application/problem+json",
    HTML: "text/html; charset=utf-8",
    TEXT: "text/plain; charset=utf-8",
}
_ACCEPT: Final = re.compile(rb"\n(?i:accept):[ \t]*([^\r\n]{0,1000})").search
_MOST: Final = 500  # characters of what happened
# How far a request came, by who has to act: what stands at browser, router and app.
_WAYS: Final = {
    "client": ("bad", "good", "unknown"),
    "upstream": ("good", "good", "bad"),
    "platform": ("good", "bad", "unknown"),
}
_WAKING: Final = ("ASLEEP", "HOLD_FULL", "HOLD_TIMEOUT")
_NOT_ON_THE_WAY: Final = (401, 403, 404, 405, 429)  # nothing broke
_PLACES: Final = ("Your request", "Router", "App")
_SAID: Final = {"good": "fine", "bad": "here is the problem", "unknown": "not asked", "busy": "starting"}
_TITLES: Final = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    408: "Request Timeout",
    413: "Content Too Large",
    414: "URI Too Long",
    416: "Range Not Satisfiable",
    417: "Expectation Failed",
    421: "Misdirected Request",
    429: "Too Many Requests",
    431: "Request Header Fields Too Large",
    501: "Not Implemented",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Gateway Timeout",
    505: "HTTP Version Not Supported",
}


def render(kind: ErrorKind, detail: str, request_id: bytes, accept: bytes, retry_after: int = 5) -> tuple[bytes, bytes]:
    """Makes an error answer.

    Args:
        kind: which error.
        detail: what happened, one sentence.
        request_id: shown, so that the answer can be found in the log.
        accept: the request's Accept header.
        retry_after: seconds, named where a later try may be answered otherwise (429, 503).

    Returns:
        Status line and header lines (without length, date and id); the body.
    """
    form = preferred(accept)
    body = _FORMS[form](kind, detail[:_MOST], request_id.decode("latin-1"))
    lines = [
        f"HTTP/1.1 {kind.status} {_TITLES.get(kind.status, 'Error')}",
        f"Content-Type: {_MEDIA[form]}",
        "Cache-Control: no-store",
        f"X-Shipoff-Error: {kind.code}",
        "X-Content-Type-Options: nosniff",
    ]
    if form == HTML:
        lines.append(f"Content-Security-Policy: {_POLICY}")
    if kind.status == 405:
        lines.append("Allow: GET, HEAD")
    if kind.status in (429, 503):
        lines.append(f"Retry-After: {retry_after}")
    return "".join(line + "\r\n" for line in lines).encode(), body


def accept_in(head: bytes) -> bytes:
    """The Accept header of a head that could not be read (a browser with too many cookies should still see a page)."""
    match = _ACCEPT(head)
    return match[1] if match is not None else b""


def _html(kind: ErrorKind, detail: str, request_id: str) -> bytes:
    return (
        _PAGES.get(kind.code, _PAGE)
        .substitute(
            style=_STYLE,
            status=kind.status,
            title=escape(_TITLES.get(kind.status, "Error")),
            code=escape(kind.code),
            detail=escape(_sentence(detail)),
            hint=escape(_sentence(kind.hint)),
            way=_way(kind),
            request=escape(request_id),
            time=time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime()),
        )
        .encode()
    )


def _way(kind: ErrorKind) -> str:
    """How far the request came, as a list of three; nothing for what no way explains (a page that is not there)."""
    if kind.status in _NOT_ON_THE_WAY or kind.code in ("MAINTENANCE", "NOT_CACHED"):
        return ""
    states = ("good", "good", "busy") if kind.code in _WAKING else _WAYS[kind.source]
    items = [
        f'<li class="{state}">{place}<span>{_SAID[state]}</span></li>'
        for place, state in zip(_PLACES, states, strict=True)
    ]
    return "<ol>" + "".join(items) + "</ol>"


def _json(kind: ErrorKind, detail: str, request_id: str) -> bytes:
    problem = {
        "type": "about:blank",
        "title": _TITLES.get(kind.status, "Error"),
        "status": kind.status,
        "code": kind.code,
        "detail": detail,
        "hint": kind.hint,
        "retryable": kind.retryable,
        "request_id": request_id,
    }
    return orjson.dumps(problem) + b"\n"


def _text(kind: ErrorKind, detail: str, request_id: str) -> bytes:
    title = _TITLES.get(kind.status, "Error")
    return (
        f"{kind.status} {title}\n\n{_sentence(detail)}\n{_sentence(kind.hint)}\n\n"
        f"code:    {kind.code}\nrequest: {request_id}\n"
    ).encode()


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + ("." if text and not text.endswith(".") else "")


_FORMS: Final = {JSON: _json, HTML: _html, TEXT: _text}
