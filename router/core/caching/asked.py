"""What a request says to a cache: its directives, its conditions, its range, and who it is from."""

from __future__ import annotations

import re
from typing import Final

from router.core.caching import glance
from router.core.caching.directives import ABSENT, Directives
from router.core.caching.rule import CacheRule
from router.core.head import RequestHead

_LOOK: Final = re.compile(
    rb"(?i)\n(cache-control|pragma|range|if-range|if-none-match|if-modified-since|if-match|if-unmodified-since"
    rb"|authorization|cookie):[ \t]*([^\r\n]*)"
).findall
_CONDITIONS: Final = re.compile(rb"(?im)^(?:range|if-range|if-none-match|if-modified-since):[^\r\n]*\r\n")


class Asked:
    """A request as a cache sees it.

    Attributes:
        directives: those that count; None where none do.
        none_match, modified_since, range, if_range: the fields' values, b"" when absent.
        authorized, cookie: it has an Authorization, a Cookie.
        bypass: why it can be neither answered from the store nor fill it, b"" when it can.
        is_conditional: the client has a copy or wants a part.
    """

    __slots__ = (
        "authorized",
        "bypass",
        "cookie",
        "directives",
        "if_range",
        "is_conditional",
        "modified_since",
        "none_match",
        "range",
    )

    def __init__(self) -> None:
        self.directives: Directives | None = None
        self.none_match = self.modified_since = self.range = self.if_range = self.bypass = b""
        self.authorized = self.cookie = self.is_conditional = False


_PLAIN: Final = Asked()
_WITH_COOKIE: Final = Asked()
_WITH_COOKIE.cookie = True


def read_asked(head: RequestHead, rule: CacheRule) -> Asked:
    """Looks at a GET or HEAD request."""
    if head.length == 0 and not head.upgrade:
        seen = glance.glance(head.lines)
        if seen != glance.LOOK:
            return _WITH_COOKIE if seen == glance.COOKIE else _PLAIN
    found = _LOOK(head.lines)
    asked = Asked()
    values: dict[bytes, bytes] = {}
    for name, value in found:
        low = name.lower()
        values[low] = values[low] + b", " + value.rstrip(b" \t") if low in values else value.rstrip(b" \t")
    asked.none_match = values.get(b"if-none-match", b"")
    # Where both are given, the date does not count (RFC 9110, section 13.1.3).
    asked.modified_since = b"" if asked.none_match else values.get(b"if-modified-since", b"")
    asked.range = values.get(b"range", b"") if head.method == b"GET" else b""
    asked.if_range = values.get(b"if-range", b"")
    asked.is_conditional = bool(asked.none_match or asked.modified_since or asked.range)
    asked.authorized = b"authorization" in values
    asked.cookie = b"cookie" in values
    if rule.client_directives:
        asked.directives = _directives(values)
    asked.bypass = _bypass(head, asked, values, rule)
    return asked


def own_head(head: RequestHead, conditions: bytes) -> RequestHead:
    """The head of the cache's own request for the same: what the client claimed, and conditions of the cache's own.

    Args:
        conditions: header lines, each with its CRLF.
    """
    lines = _CONDITIONS.sub(b"", head.lines) + conditions
    own = RequestHead(head.method, head.target, 1, head.host, lines, head.end)
    own.plain = head.plain
    own.forwarded_for, own.forwarded_proto = head.forwarded_for, head.forwarded_proto
    own.connecting_ip, own.request_id, own.traceparent = head.connecting_ip, head.request_id, head.traceparent
    return own


def _directives(values: dict[bytes, bytes]) -> Directives | None:
    if b"cache-control" in values:
        return Directives(values[b"cache-control"])
    if b"pragma" in values and b"no-cache" in values[b"pragma"].lower():  # RFC 9111, section 5.4
        directives = Directives()
        directives.no_cache = True
        return directives
    return None


def _bypass(head: RequestHead, asked: Asked, values: dict[bytes, bytes], rule: CacheRule) -> bytes:
    if head.length != 0 or head.upgrade:
        return b"request"
    if b"if-match" in values or b"if-unmodified-since" in values:  # the origin's to judge (section 4.3.2)
        return b"request"
    if asked.authorized and not rule.authorization:
        return b"bypass"
    if asked.directives is not None and asked.directives.no_store:
        return b"request"
    return b""


def seconds_or(value: int, default: float) -> float:
    """A directive's seconds, or a default where it is absent."""
    return default if value == ABSENT else value
