"""The rule `cache` of a route: what of a request tells answers apart, and what may be kept beyond the safe defaults."""

from __future__ import annotations

import re
from typing import Final

from router.core.reading import Reader, wrong

_NAME: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,64}").fullmatch
_MOST_NAMES: Final = 32
_YEAR_S: Final = 31_536_000


class CacheRule:
    """How the answers of a route are cached; every field has a safe default.

    Attributes:
        query_ignore: query parameters that do not tell answers apart; a name may end in `*`.
        query_keep: only these do, when there are any.
        query_sort: their order does not matter.
        headers, cookies: lower-case header names and cookie names whose values tell answers apart.
        authorization: answers to requests with Authorization may be kept where RFC 9111, section 3.5, allows it.
        set_cookie: answers with Set-Cookie may be kept when they state their freshness (RFC 9111, section 7.3).
        heuristic: answers with a Last-Modified and no stated freshness get some.
        default_s: freshness of answers to requests without a cookie that state none, in seconds.
        stale_while_revalidate_s, stale_if_error_s: taken when an answer says nothing itself, in seconds.
        client_directives: a request's Cache-Control and Pragma count.
    """

    __slots__ = (
        "authorization",
        "client_directives",
        "cookies",
        "default_s",
        "headers",
        "heuristic",
        "query_ignore",
        "query_keep",
        "query_sort",
        "set_cookie",
        "stale_if_error_s",
        "stale_while_revalidate_s",
    )

    def __init__(self, reader: Reader) -> None:
        query = Reader(reader.take("query") or {}, reader.path("query"))
        self.query_ignore = _parameters(query, "ignore")
        self.query_keep = _parameters(query, "keep")
        self.query_sort = query.flag("sort")
        query.end()
        self.headers = tuple(name.lower() for name in _names(reader, "headers"))
        self.cookies = tuple(_names(reader, "cookies"))
        self.authorization = reader.flag("authorization")
        self.set_cookie = reader.flag("set_cookie")
        self.heuristic = reader.flag("heuristic", True)
        self.default_s = reader.number("default_s", 0, 0, _YEAR_S)
        self.stale_while_revalidate_s = reader.number("stale_while_revalidate_s", 0, 0, _YEAR_S)
        self.stale_if_error_s = reader.number("stale_if_error_s", 0, 0, _YEAR_S)
        self.client_directives = reader.flag("client_directives", True)


def _names(reader: Reader, field: str) -> list[bytes]:
    names = reader.texts(field)
    if len(names) > _MOST_NAMES or not all(map(_NAME, names)):
        raise wrong(reader.path(field), f"not at most {_MOST_NAMES} names")
    return [name.encode() for name in names]


def _parameters(reader: Reader, field: str) -> re.Pattern[bytes] | None:
    """A pattern that matches the names that are listed; None for none."""
    names = reader.texts(field)
    if not names:
        return None
    if len(names) > _MOST_NAMES:
        raise wrong(reader.path(field), f"not at most {_MOST_NAMES} names")
    each = [re.escape(n[:-1].encode()) + b".*" if n.endswith("*") else re.escape(n.encode()) for n in names]
    return re.compile(rb"(?:" + b"|".join(each) + rb")", re.DOTALL)
