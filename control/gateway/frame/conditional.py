"""Conditional requests (RFC 9110, section 13): ETags of JSON answers, and changes that ask whether they are still true.

An ETag is strong: a hash of the answer's bytes. A change with `If-Match` is made only if a GET of the same path would
answer with that ETag. Where the resource has a version, that version goes to the owning service along with the change,
which looks again in its transaction; elsewhere a change between the look and ours is not seen.
"""

from __future__ import annotations

import hashlib
import re
from typing import Final

from aiohttp import web

from kernel.errors import define

PRECONDITION_FAILED = define(
    "PRECONDITION_FAILED", source="client", status=412, hint="read it again, and decide again with what it is now"
)
_TAG: Final = re.compile(r'(W/)?"([\x21\x23-\x7e]*)"')
_LIST: Final = re.compile(rf"\s*{_TAG.pattern}\s*(?:,\s*{_TAG.pattern}\s*)*")


def tag_of(content: bytes) -> str:
    """The ETag of an answer."""
    return f'"{hashlib.sha256(content).hexdigest()[:32]}"'


def fresh(request: web.Request, response: web.Response) -> web.Response:
    """A GET's answer with its ETag, or 304 when the client has just that."""
    if request.method not in ("GET", "HEAD") or response.status != 200 or not isinstance(response.body, bytes):
        return response
    tag = response.headers.setdefault("ETag", tag_of(response.body))
    response.headers.setdefault("Cache-Control", "private, no-cache")
    shown = request.headers.get("If-None-Match", "")
    if shown.strip() != "*" and tag.strip('"') not in {value for _, value in _tags(shown)}:
        return response
    kept = {name: response.headers[name] for name in ("ETag", "Cache-Control", "Vary") if name in response.headers}
    return web.Response(status=304, headers=kept)


def matches(shown: str, tag: str) -> bool:
    """Whether `If-Match` names an ETag. The comparison is strong: a weak one never matches.

    Raises:
        ShipoffError: PRECONDITION_FAILED when the header is malformed, since what is meant can't be kept then.
    """
    if shown.strip() == "*":
        return True
    if not _LIST.fullmatch(shown):
        raise PRECONDITION_FAILED("If-Match is malformed", hint='send the ETag as it came: If-Match: "…"')
    return tag.strip('"') in {value for weak, value in _tags(shown) if not weak}


def _tags(shown: str) -> list[tuple[str, str]]:
    return _TAG.findall(shown)
