"""Whether an answer may be kept, and the value that it becomes (RFC 9111, sections 3 and 4.3.4)."""

from __future__ import annotations

from typing import Final

from router.core.caching.asked import Asked, seconds_or
from router.core.caching.dates import read_date
from router.core.caching.directives import ABSENT, Directives, targeted
from router.core.caching.fieldlines import FieldLines
from router.core.caching.freshness import explicit_lifetime, guessed_lifetime, initial_age
from router.core.caching.keys import vary_names
from router.core.caching.rule import CacheRule

# Statuses whose requirements this cache conforms to, for must-understand (section 5.2.2.3).
_UNDERSTOOD: Final = frozenset(
    (200, 203, 204, 300, 301, 302, 303, 307, 308, 400, 403, 404, 405, 410, 414, 451, 500, 501, 502, 503, 504)
)
_TAGS: Final = (b"cache-tag", b"surrogate-key")
# Of one connection or one request, made anew with each answer, or meant for this cache alone.
_NEVER: Final = frozenset(
    b"age connection content-length keep-alive proxy-authenticate proxy-authentication-info proxy-authorization "
    b"proxy-connection server-timing te trailer transfer-encoding upgrade x-request-id".split()
) | frozenset(_TAGS)
# What a 304 does not change: it describes the body that is kept, not the one that was not sent (section 3.2).
_KEPT: Final = _NEVER | frozenset(b"content-encoding content-md5 content-range etag vary".split())
_MOST_TAGS: Final = 64


class Answer:
    """The head of an answer, as a cache sees it.

    Args of the constructor:
        lines: status line and header lines, each with its CRLF.
        asked_at, came_at: when the request was sent and this head came, seconds since the epoch.

    Attributes:
        lifetime: seconds of freshness from `born` on.
        born: when its age was zero, seconds since the epoch.
        vary: names of request headers that it depends on; None when on more than that.
    """

    __slots__ = ("_rule", "born", "date", "directives", "explicit", "fields", "lifetime", "lines", "status", "vary")

    def __init__(
        self, status: int, lines: bytes, asked: Asked, rule: CacheRule, asked_at: float, came_at: float
    ) -> None:
        self.status = status
        self.lines = lines
        self.fields = fields = FieldLines(lines)
        own = targeted(fields.joined(b"cdn-cache-control"))
        self.directives = own if own is not None else Directives(fields.joined(b"cache-control"))
        date = read_date(fields.value(b"date"))
        self.date = came_at if date is None else float(date)
        self.born = came_at - initial_age(fields, self.date, asked_at, came_at)
        self.vary = vary_names(fields.values(b"vary"))
        self._rule = rule
        stated = explicit_lifetime(fields, self.directives, own is not None, self.date)
        self.explicit = stated is not None
        self.lifetime = self._unstated(asked) if stated is None else stated

    def _unstated(self, asked: Asked) -> float:
        if asked.cookie and not self.directives.public:
            return 0.0  # what nobody declared shareable and may be made for one person
        guessed = guessed_lifetime(self.status, self.fields, self.directives, self.date) if self._rule.heuristic else 0
        default = self._rule.default_s if self.status == 200 and not self.directives.no_cache else 0
        return max(guessed, default)

    @property
    def etag(self) -> bytes:
        """The entity tag, b"" when absent."""
        return self.fields.value(b"etag")

    @property
    def modified(self) -> bytes:
        """Last-Modified as sent, b"" when absent or no date."""
        value = self.fields.value(b"last-modified")
        return value if read_date(value) is not None else b""

    def tags(self) -> tuple[bytes, ...]:
        """What it can be purged by; Cache-Tag has commas, Surrogate-Key spaces between."""
        found = self.fields.joined(b"cache-tag").split(b",") + self.fields.joined(b"surrogate-key").split()
        return tuple({tag.strip(b" \t").lower(): None for tag in found if tag.strip(b" \t")})[:_MOST_TAGS]

    def refusal(self, asked: Asked) -> bytes:
        """Why it may not be kept, one word; b"" when it may (section 3)."""
        directives, status = self.directives, self.status
        if status < 200 or status in (206, 304) or (directives.must_understand and status not in _UNDERSTOOD):
            return b"status"
        if directives.no_store and not directives.must_understand:
            return b"no-store"
        if directives.private:
            return b"private"
        if asked.authorized and not self.for_authorized:
            return b"authorization"
        if b"set-cookie" in self.fields and b"set-cookie" not in directives.hidden and not self._keeps_cookies:
            return b"set-cookie"
        if self.vary is None:
            return b"vary"
        return b"" if self._is_useful else b"no-freshness"

    @property
    def for_authorized(self) -> bool:
        """Whether it may answer requests with Authorization (section 3.5)."""
        directives = self.directives
        return directives.public or directives.must_revalidate or directives.s_maxage != ABSENT

    @property
    def _keeps_cookies(self) -> bool:
        return self._rule.set_cookie and self.explicit

    @property
    def _is_useful(self) -> bool:
        directives = self.directives
        if self.lifetime > 0 and not directives.no_cache:
            return True
        if max(directives.stale_while_revalidate, directives.stale_if_error) > 0:
            return True
        return bool(self.etag or self.modified) and (directives.no_cache or self.explicit)

    def kept_lines(self) -> bytes:
        """Status line and header lines as they are kept."""
        left_out = set(_NEVER | self.directives.hidden)
        return self.fields.first + b"\r\n" + self.fields.without(left_out)


class Stored:
    """An answer that is kept. Never changed; replaced as a whole.

    Attributes:
        key: with what Vary adds.
        groups: what it can be purged by.
        lines: status line and header lines, without Content-Length and Age.
        body: None while it is in a file only.
        body_file: the name of that file; "" for none.
        path, stamp: the file of the whole answer and what tells it from an older or newer one; "" for none.
        touched: when the file was last said to be read, seconds since the epoch.
        size: bytes of the body.
        bound: not to be served stale without the origin's explicit leave (section 4.2.4).
        never_stale: not even with it.
    """

    __slots__ = (
        "body",
        "body_file",
        "born",
        "bound",
        "date",
        "etag",
        "for_authorized",
        "groups",
        "key",
        "lifetime",
        "lines",
        "modified",
        "never_stale",
        "no_cache",
        "path",
        "release",
        "size",
        "stale_if_error",
        "stale_while_revalidate",
        "stamp",
        "status",
        "touched",
        "vary",
    )

    def __init__(self, key: bytes, answer: Answer, rule: CacheRule, body: bytes | None, size: int) -> None:
        directives = answer.directives
        self.key = key
        self.groups: tuple[bytes, ...] = ()
        self.status = answer.status
        self.lines = answer.kept_lines()
        self.vary = answer.vary or ()
        self.body = body
        self.size = size
        self.born = answer.born
        self.date = answer.date
        self.lifetime = answer.lifetime
        self.etag = answer.etag
        self.modified = answer.modified
        self.no_cache = directives.no_cache
        self.never_stale = directives.must_revalidate or directives.proxy_revalidate
        self.bound = self.never_stale or directives.s_maxage != ABSENT
        self.for_authorized = answer.for_authorized
        self.stale_while_revalidate = seconds_or(directives.stale_while_revalidate, rule.stale_while_revalidate_s)
        self.stale_if_error = seconds_or(directives.stale_if_error, rule.stale_if_error_s)
        self.release = ""
        self.body_file = ""
        self.path = ""
        self.touched = 0.0
        self.stamp: tuple[int, int] | None = None

    def copied(self) -> Stored:
        """Another one like it."""
        other = Stored.__new__(Stored)
        for name in self.__slots__:
            setattr(other, name, getattr(self, name))
        return other

    @property
    def weight(self) -> int:
        """Bytes that it takes in memory, about."""
        return 600 + 2 * len(self.key) + len(self.lines) + (len(self.body) if self.body is not None else 0)


def freshened(stored: Stored, answer: Answer) -> bytes | None:
    """The lines of a stored answer with those of a 304 in their place; None when the 304 is not about it.

    Source: RFC 9111, sections 3.2 and 4.3.4.
    """
    sent = answer.etag
    if sent and sent.removeprefix(b"W/") != stored.etag.removeprefix(b"W/"):
        return None
    if not sent and answer.modified and stored.modified and answer.modified != stored.modified:
        return None
    return FieldLines(stored.lines).updated(answer.fields, _KEPT)
