"""What the cache does to answers that pass it by: says why, hides tags, and forgets what an unsafe request changed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from urllib.parse import urljoin, urlsplit

from router.core.caching.keys import url_of
from router.core.caching.rule import CacheRule
from router.core.host import canonical
from router.core.request import Request

if TYPE_CHECKING:
    from router.edge.caching.responses import ResponseCache

SAFE: Final = frozenset((b"GET", b"HEAD", b"OPTIONS", b"TRACE"))
_TAGS: Final = re.compile(rb"(?im)^(?:cache-tag|surrogate-key):[^\r\n]*\r\n")
_ELSEWHERE: Final = re.compile(rb"(?i)\n(?:content-)?location:[ \t]*([^\r\n]*)").findall


class Passing:
    """The cache's part in one answer that does not touch the store.

    Args of the constructor:
        note: the Cache-Status line.
    """

    __slots__ = ("_cache", "_note", "_rule")
    is_own: Final = False  # the route's rules have their say, too

    def __init__(self, cache: ResponseCache, rule: CacheRule, note: bytes) -> None:
        self._cache = cache
        self._rule = rule
        self._note = note

    def answer_lines(self, request: Request, lines: bytes) -> bytes:
        """The header lines of the answer, as they go on."""
        head = request.head
        if head.method not in SAFE and 200 <= request.status < 400:
            self._invalidate(head.host, head.target, lines)
        return _TAGS.sub(b"", lines) + self._note

    def _invalidate(self, host: bytes, target: bytes, lines: bytes) -> None:
        """Forgets what is kept for the target and for what the answer names on this host (RFC 9111, section 4.4)."""
        targets = {target}
        here = b"http://" + host
        for value in _ELSEWHERE(lines):
            try:
                found = urlsplit(urljoin(here + target, value.strip(b" \t")))
            except ValueError:
                continue
            if found.netloc.lower() == host:
                targets.add((found.path or b"/") + (b"?" + found.query if found.query else b""))
        for one in targets:
            self._cache.invalidate(url_of(canonical(host) or host, one, self._rule))


class Untouched:
    """The cache's own requests: what comes back is looked at elsewhere."""

    __slots__ = ()
    is_own: Final = True

    def answer_lines(self, request: Request, lines: bytes) -> bytes:
        """The header lines as they came."""
        return lines
