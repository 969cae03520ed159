"""A route's rules, parsed once into one immutable `Policy` (the shapes are in ARCHITECTURE.md, "Rules").

A route without rules has no policy, and the data path asks for nothing but that. Whatever is unknown or wrong in the
rules refuses the whole record: a site must not open because a router was older than its rules.
"""

from __future__ import annotations

import math
import re
from typing import Final

from router.core.caching.rule import CacheRule
from router.core.edits import Edit, read_edit
from router.core.health import Health
from router.core.passwords import Users
from router.core.ranges import Ranges
from router.core.reading import Json, Reader, whole, wrong
from router.core.redirects import Redirect, read_redirect
from router.core.split import Split, read_split

_HEADER: Final = re.compile(r"header:([A-Za-z0-9-]{1,64})").fullmatch
_REALM: Final = re.compile(r'[^"\\]{1,100}').fullmatch
_DAY_S: Final = 86_400
_YEAR_S: Final = 31_536_000


class RateLimit:
    """A token bucket per client.

    Attributes:
        rate: requests per second.
        burst: requests that may come at once.
        header: what tells clients apart; b"" is their address.
    """

    __slots__ = ("burst", "header", "rate")

    def __init__(self, reader: Reader) -> None:
        requests = reader.number("requests", None, 0.001, 1e9)
        self.rate = requests / reader.number("per_s", 1, 0.001, _DAY_S)
        self.burst = reader.number("burst", max(1.0, requests), 1, 1e9)
        by = reader.text("by", "address")
        match = _HEADER(by)
        if match is None and by != "address":
            raise wrong(reader.path("by"), "not address or header:<name>")
        self.header = match[1].lower().encode() if match else b""


class BasicAuth:
    """Name and password in front of a site."""

    __slots__ = ("challenge", "users")

    def __init__(self, reader: Reader) -> None:
        realm = reader.text("realm", "restricted")
        if _REALM(realm) is None:
            raise wrong(reader.path("realm"), "not a realm")
        self.challenge = f'WWW-Authenticate: Basic realm="{realm}", charset="UTF-8"\r\n'.encode("latin-1", "replace")
        try:
            self.users = Users(reader.mapping("users"))
        except ValueError as error:
            raise wrong(reader.path("users"), f"wrong: {error}") from None


class Https:
    """Plain requests are sent to https; browsers are told to stay there."""

    __slots__ = ("hsts", "redirect")

    def __init__(self, reader: Reader) -> None:
        self.redirect = reader.flag("redirect", True)
        seconds = reader.whole("hsts_s", 0, 0, 10 * _YEAR_S)
        subdomains, preload = reader.flag("subdomains"), reader.flag("preload")
        more = ("; includeSubDomains" if subdomains else "") + ("; preload" if preload else "")
        self.hsts = f"Strict-Transport-Security: max-age={seconds}{more}\r\n".encode() if seconds else b""


class Maintenance:
    """The site is closed for all but a few addresses."""

    __slots__ = ("allow", "message", "retry_after_s")

    def __init__(self, reader: Reader) -> None:
        self.message = reader.text("message", "this site is under maintenance")
        self.retry_after_s = reader.whole("retry_after_s", 300, 1, _YEAR_S)
        self.allow = reader.checked("allow", Ranges)


class Timeouts:
    """The waits of a request on its route, in seconds; those that are not named are the worker's own (nan)."""

    __slots__ = ("answer_s", "body_s", "stream_s")

    def __init__(self, reader: Reader) -> None:
        self.answer_s = reader.number("answer_s", math.nan, 0.1, _DAY_S)
        self.body_s = reader.number("body_s", math.nan, 0.1, _DAY_S)
        self.stream_s = reader.number("stream_s", math.nan, 0.1, _DAY_S)


class Lanes:
    """How many requests an instance of the app gets at once, and how many wait for how long when all are busy."""

    __slots__ = ("limit", "queue", "queue_s")

    def __init__(self, reader: Reader) -> None:
        self.limit = reader.whole("limit", None, 1, 1_000_000)
        self.queue = reader.whole("queue", 100, 0, 100_000)
        self.queue_s = reader.number("queue_s", 10, 0.05, 3600)


class Hold:
    """How requests wait for a release that sleeps, wakes, or has no instance for a moment.

    What is not named is the worker's own (nan, and -1 for `queue`).

    Attributes:
        wait_s: for a release that sleeps or wakes; 0 refuses at once.
        switch_s: for one that runs and has no instance; 0 refuses at once.
        page_s: a browser's navigation that waits longer gets a page that reloads itself; 0 for never.
        queue: how many wait at once, per worker.
    """

    __slots__ = ("page_s", "queue", "switch_s", "wait_s")

    def __init__(self, reader: Reader) -> None:
        self.wait_s = reader.number("wait_s", math.nan, 0, 600)
        self.switch_s = reader.number("switch_s", math.nan, 0, 600)
        self.page_s = reader.number("page_s", math.nan, 0, 600)
        self.queue = reader.whole("queue", -1, 0, 100_000)


# What is asked before a request goes on to what its route serves (edge/policing.py); other rules have their say later.
_ASKING: Final = frozenset(
    [
        "allow",
        "deny",
        "https",
        "maintenance",
        "rate_limit",
        "max_body",
        "basic_auth",
        "redirects",
        "request_headers",
        "timeouts",
    ]
)


class Policy:
    """All rules of one route. Never changed.

    Attributes:
        name: of the route, for what is counted per route and outlives a change of its rules.
        record: the rules as they stood in the record.
        asks: it has rules of `_ASKING`.
        max_body: bytes of a request body, however it is framed; -1 for no limit.
    """

    __slots__ = (
        "allow",
        "asks",
        "auth",
        "cache",
        "deny",
        "health",
        "hold",
        "https",
        "lanes",
        "maintenance",
        "max_body",
        "name",
        "rate",
        "record",
        "redirects",
        "request_edit",
        "response_edit",
        "split",
        "timeouts",
    )

    def __init__(self, reader: Reader, record: Json, name: bytes) -> None:
        self.name = name
        self.record = record
        self.asks = not _ASKING.isdisjoint(record)
        self.allow: Ranges = reader.checked("allow", Ranges)
        self.deny: Ranges = reader.checked("deny", Ranges)
        self.https: Https | None = reader.inside("https", Https)
        self.maintenance: Maintenance | None = reader.inside("maintenance", Maintenance)
        self.rate: RateLimit | None = reader.inside("rate_limit", RateLimit)
        self.auth: BasicAuth | None = reader.inside("basic_auth", BasicAuth)
        self.redirects: tuple[Redirect, ...] = tuple(reader.each("redirects", read_redirect))
        self.request_edit: Edit | None = reader.inside("request_headers", read_edit)
        self.response_edit: Edit | None = reader.inside("response_headers", read_edit)
        self.max_body = reader.whole("max_body", -1, 0, 2**53)
        self.timeouts: Timeouts | None = reader.inside("timeouts", Timeouts)
        self.split: Split | None = reader.inside("canary", read_split)
        self.cache: CacheRule | None = reader.inside("cache", CacheRule)
        self.lanes: Lanes | None = reader.inside("concurrency", Lanes)
        self.health: Health | None = reader.inside("health", Health)
        self.hold: Hold | None = reader.inside("hold", Hold)


def read_policy(record: object, name: bytes) -> Policy | None:
    """Makes a policy of the `rules` of a route's record; None when there are none.

    Raises:
        ShipoffError: RECORD_INVALID, naming the field.
    """
    if not record:
        return None
    return whole(record, "rules", lambda reader: Policy(reader, dict(record), name))  # type: ignore[call-overload]
