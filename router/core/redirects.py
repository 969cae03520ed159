"""Redirect rules: an exact path or everything under one goes elsewhere; the query comes along."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote_from_bytes

from router.core.reading import Reader, wrong
from router.core.target import path_of

STATUSES: Final = frozenset((301, 302, 303, 307, 308))
LOCATION: Final = re.compile(r"(?:https?://[A-Za-z0-9\[]|/(?!/))[\x21-\x7e]*|/").fullmatch
_SAFE: Final = "/!$&'()*+,;=:@~-._"


class Redirect:
    """One rule.

    Attributes:
        path: the meaning of the paths that it is for (core/target.py), so no spelling walks around it.
        prefix: what lies under the path goes along, its rest appended.
    """

    __slots__ = ("_keeps_query", "path", "prefix", "status", "to")

    def __init__(self, path: bytes, to: bytes, status: int, prefix: bool) -> None:
        self.path = path.rstrip(b"/") if prefix else path
        self.to = to.rstrip(b"/") if prefix else to
        self.status = status
        self.prefix = prefix
        self._keeps_query = b"?" not in to and b"#" not in to

    def location(self, path: bytes, query: bytes) -> bytes:
        """Where a request goes, b"" when the rule is not for it.

        Args:
            path: the meaning of the request's path.
            query: what stands behind the `?` of its target.
        """
        rest = b""
        if self.prefix:
            if path != self.path and not path.startswith(self.path + b"/"):
                return b""
            # The meaning has no doubled slashes, so the rest can never become another host's address.
            rest = quote_from_bytes(path[len(self.path) :], _SAFE).encode()
        elif path != self.path:
            return b""
        return (self.to + rest or b"/") + (b"?" + query if query and self._keeps_query else b"")


def read_redirect(reader: Reader) -> Redirect:
    """Reads `{"from": "/a", "to": "/b", "status": 308, "prefix": false}`.

    Raises:
        ShipoffError: RECORD_INVALID.
    """
    path, to = reader.text("from"), reader.text("to")
    status, prefix = reader.whole("status", 308, 301, 308), reader.flag("prefix")
    if not path.startswith("/") or "?" in path or path_of(path.encode()) != path.encode():
        raise wrong(reader.path("from"), "not a plain absolute path")
    if LOCATION(to) is None or (prefix and ("?" in to or "#" in to)):
        raise wrong(reader.path("to"), "not an address to go to")
    if status not in STATUSES:
        raise wrong(reader.path("status"), "not that of a redirect")
    return Redirect(path.encode(), to.encode(), status, prefix)
