"""The router's own answers as people and programs read them: HTML for browsers, JSON for others.

Both show the code, what happened, what to do, and the request id, and no detail of the platform's inside.
"""

from __future__ import annotations

from html import escape
from pathlib import Path
from string import Template
from typing import Final

import orjson

from kernel.errors import ErrorKind

_PAGE: Final = Template((Path(__file__).parent / "error.html").read_text())
# Pages of their own, by code.
_PAGES: Final = {"ASLEEP": Template((Path(__file__).parent / "waking.html").read_text())}
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
        accept: the request's Accept header; HTML only when it asks for it.
        retry_after: seconds, named where a later try may be answered otherwise (429, 503).

    Returns:
        Status line and header lines (without length, date and id); the body.
    """
    html = b"text/html" in accept
    body = _html(kind, detail, request_id.decode()) if html else _json(kind, detail, request_id.decode())
    lines = [
        f"HTTP/1.1 {kind.status} {_TITLES.get(kind.status, 'Error')}",
        "Content-Type: " + ("text/html; charset=utf-8" if html else "application/problem+json"),
        "Cache-Control: no-store",
        f"X-Shipoff-Error: {kind.code}",
    ]
    if kind.status == 405:
        lines.append("Allow: GET, HEAD")
    if kind.status in (429, 503):
        lines.append(f"Retry-After: {retry_after}")
    return "".join(line + "\r\n" for line in lines).encode(), body


def _html(kind: ErrorKind, detail: str, request_id: str) -> bytes:
    return (
        _PAGES.get(kind.code, _PAGE)
        .substitute(
            status=kind.status,
            title=escape(_TITLES.get(kind.status, "Error")),
            code=escape(kind.code),
            detail=escape(_sentence(detail)),
            hint=escape(_sentence(kind.hint)),
            request=escape(request_id),
        )
        .encode()
    )


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


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + ("." if text and not text.endswith(".") else "")
