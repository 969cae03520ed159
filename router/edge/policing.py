"""A route's rules at work: who is let in, and what is done to requests and answers (core/rules.py has the rules).

`admit` asks the rules in a fixed order, cheapest and most decisive first: address, https, maintenance, rate, size of
the body, password, redirects. Nothing here runs for a route without rules. A password that is slow to check is checked
in a thread while the request waits, a few at a time.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from time import monotonic
from typing import TYPE_CHECKING, Final

from kernel.tasks import spawn
from router.core.edits import Edit
from router.core.errors import (
    ADDRESS_REFUSED,
    AUTHENTICATION_REQUIRED,
    CONTENT_TOO_LARGE,
    MAINTENANCE,
    QUEUE_FULL,
    RATE_LIMITED,
)
from router.core.host import canonical
from router.core.passwords import credentials
from router.core.ranges import client_key
from router.core.reading import whole
from router.core.records import Route
from router.core.releases import Release
from router.core.request import ANSWER, DIAL, LOCAL, Request
from router.core.rules import Lanes, Policy
from router.core.split import Split, draw
from router.core.target import path_of

if TYPE_CHECKING:
    from router.core.balance import Endpoint
    from router.edge.answering import Answering
    from router.edge.caching.passing import Passing, Untouched
    from router.edge.server import Client

_MOST_CHECKING: Final = 32
_AUTHORIZATION: Final = Edit({}, ("Authorization",))
_ACME: Final = b"/.well-known/acme-challenge/"


class Ruled:
    """What the rules have made of one request.

    Attributes:
        extra: header lines that its answer gets.
        release: the one that was drawn for it; "" before.
        lanes: the limit that it obeys, or None.
        lane, endpoint: the release and instance whose room it takes (edge/lanes.py).
        until: when it has waited long enough there, on the worker's clock; 0.0 before its first wait.
        cached: what the cache has to do with its answer (edge/caching/); None before it was asked.
        called: it was called out of the queue.
        waits: it stands in the queue, or was refused there.
    """

    __slots__ = ("cached", "called", "endpoint", "extra", "lane", "lanes", "policy", "release", "until", "waits")

    policy: Policy
    lanes: Lanes | None

    def __init__(self, policy: Policy) -> None:
        self.take(policy)
        self.extra = b""
        self.release = ""
        self.lane = ""
        self.endpoint: Endpoint | None = None
        self.until = 0.0
        self.cached: Passing | Untouched | None = None
        self.called = False
        self.waits = False

    def take(self, policy: Policy) -> None:
        """Puts the request under the rules of its route."""
        self.policy = policy
        self.lanes = policy.lanes


NO_RULES: Final = whole({}, "rules", lambda reader: Policy(reader, {}, b""))


def ruled_of(request: Request) -> Ruled:
    """Where is noted what becomes of a request; made for one whose route has no rules when it has to wait."""
    if request.ruled is None:
        request.ruled = Ruled(NO_RULES)
    ruled: Ruled = request.ruled
    return ruled


def admit(client: Client, request: Request, policy: Policy) -> bool:
    """Whether the request goes on to what its route serves; otherwise a rule has answered it, or will."""
    ruled: Ruled | None = request.ruled
    if ruled is None:
        ruled = request.ruled = Ruled(policy)
    elif ruled.policy is NO_RULES:
        ruled.take(policy)  # it had to wait, and its route has changed meanwhile
    else:
        return True  # a retry, or its password was good
    if not policy.asks:
        return True
    if policy.https is not None and client.peer.client_scheme(request.head) == "https":
        ruled.extra = policy.https.hsts
    for check in _CHECKS:  # noqa: SIM110 - a generator would cost each request a microsecond
        if not check(client, request, policy):
            return False
    return True


def outgrown(client: Client, request: Request) -> bool:
    """Whether the body has become larger than its route allows; it is refused then."""
    most = request.ruled.policy.max_body
    if most < 0 or request.body_size <= most:
        return False
    client.keep = request.head.keep = False
    client.refuse(CONTENT_TOO_LARGE, f"this site takes {most} bytes in one request")
    return True


def answer_lines(request: Request, lines: bytes) -> bytes:
    """The header lines of an answer as the rules want them."""
    ruled: Ruled = request.ruled
    if ruled.cached is not None:
        lines = ruled.cached.answer_lines(request, lines)
        if ruled.cached.is_own:
            return lines
    if ruled.policy.response_edit is not None:
        lines = ruled.policy.response_edit.apply(lines)
    return lines + ruled.extra


def release_for(client: Client, request: Request, route: Route) -> Release | None:
    """The release that serves a request of a route with rules; a retry stays with the one that was drawn."""
    table, policy, ruled = client.edge.table, route.policy, request.ruled
    if ruled.cached is not None and ruled.cached.is_own and not request.attempts and ruled.release in table.releases:
        return table.releases.get(ruled.release)  # the cache asks for one
    split = policy.split if policy is not None else None
    if split is None or not route.weights:
        return table.release_for(route)
    if ruled.release not in table.releases:
        _draw(client, request, route, split, remember=True)
    return table.releases.get(ruled.release)


def files_of(client: Client, request: Request, route: Route) -> str:
    """The release whose files a request of a static route gets.

    Only a page that a browser goes to makes it remember the release: what pages ask for lies in shared caches for long,
    where a cookie would be everybody's.
    """
    if not route.weights:
        return route.release
    split = route.policy.split if route.policy is not None else None
    if split is None:
        return draw(route.weights, client.edge.guard.draw())
    _draw(client, request, route, split, remember=b"text/html" in request.head.header(b"accept"))
    return str(request.ruled.release)


def _draw(client: Client, request: Request, route: Route, split: Split, *, remember: bool) -> None:
    head, ruled = request.head, request.ruled
    wanted = head.header(split.header) if split.header else b""
    first = not ruled.release
    ruled.release, tell = split.choose(route.weights, wanted, head.header(b"cookie"), client.edge.guard.draw())
    if tell and first and remember:
        ruled.extra += split.set_cookie(ruled.release, client.peer.client_scheme(head) == "https")


def from_cache(client: Client, request: Request, route: Route, release: Release | None) -> bool:
    """Whether the response cache answers the request, now or later."""
    edge, ruled = client.edge, request.ruled
    responses = edge.responses
    if responses is None or release is None or ruled.cached is not None:
        return False
    return responses.handle(client, request, route, release.id)


def ended(client: Answering, request: Request) -> None:
    """The request is over, in whatever way."""
    ruled: Ruled = request.ruled
    client.limits = client.edge.waits
    if ruled.lane:
        client.edge.guard.lanes.leave(request)


# --- the checks, in their order ---------------------------------------------------------------------------------------


def _address(client: Client, request: Request, policy: Policy) -> bool:
    if policy.allow or policy.deny:
        ip = client.peer.client_ip(request.head)
        if (policy.allow and ip not in policy.allow) or ip in policy.deny:
            client.refuse(ADDRESS_REFUSED, "this site is not open to your address")
            return False
    return True


def _https(client: Client, request: Request, policy: Policy) -> bool:
    head = request.head
    if policy.https is None or not policy.https.redirect or client.peer.client_scheme(head) == "https":
        return True
    host = canonical(head.host)
    if host is None or head.target == b"*" or path_of(head.target).startswith(_ACME):
        return True
    client.answer(request, 308, b"Location: https://" + host + head.target + b"\r\n", b"")
    return False


def _maintenance(client: Client, request: Request, policy: Policy) -> bool:
    rule = policy.maintenance
    if rule is None or client.peer.client_ip(request.head) in rule.allow:
        return True
    client.refuse(MAINTENANCE, rule.message, retry_after=rule.retry_after_s)
    return False


def _rate(client: Client, request: Request, policy: Policy) -> bool:
    rule = policy.rate
    if rule is None:
        return True
    who = request.head.header(rule.header) if rule.header else b""
    whose: bytes | str = who[:256] or client_key(client.peer.client_ip(request.head))
    wait = client.edge.guard.buckets.take((policy.name, whose), rule.rate, rule.burst, monotonic())
    if not wait:
        return True
    client.refuse(RATE_LIMITED, "you have sent too many requests", retry_after=math.ceil(wait))
    return False


def _size(client: Client, request: Request, policy: Policy) -> bool:
    return not outgrown(client, request)


def _password(client: Client, request: Request, policy: Policy) -> bool:
    auth = policy.auth
    if auth is None:
        return True
    sent = request.head.header(b"authorization")
    given = credentials(sent)
    if given is None:
        return _challenge(client, policy)
    guard = client.edge.guard
    good = guard.passwords.get(auth.users, sent)
    if good is None and auth.users.slow:
        return _check_aside(client, request, policy, sent)
    if good is None:
        good = auth.users.admit(*given)
        guard.passwords.put(auth.users, sent, good)
    return good or _challenge(client, policy)


def _challenge(client: Client, policy: Policy) -> bool:
    challenge = policy.auth.challenge if policy.auth is not None else b""
    client.refuse(AUTHENTICATION_REQUIRED, "this site asks for a name and a password", challenge)
    return False


def _check_aside(client: Client, request: Request, policy: Policy, sent: bytes) -> bool:
    guard = client.edge.guard
    if guard.checking >= _MOST_CHECKING:
        client.refuse(QUEUE_FULL, "too many passwords are being checked", retry_after=1)
        return False
    guard.checking += 1
    request.move(DIAL)
    _ = spawn(_check_password(client, request, policy, sent), "router.password")
    return False


async def _check_password(client: Client, request: Request, policy: Policy, sent: bytes) -> None:
    guard, auth, given = client.edge.guard, policy.auth, credentials(sent)
    try:
        good = auth is not None and given is not None and await asyncio.to_thread(auth.users.admit, *given)
    finally:
        guard.checking -= 1
    if auth is not None:
        guard.passwords.put(auth.users, sent, good)
    if client.request is not request or request.phase in (ANSWER, LOCAL):
        return  # it went away, or its time was up
    if not good:
        _challenge(client, policy)
    elif all(check(client, request, policy) for check in _AFTER_PASSWORD):
        client.dispatch(request)


def _redirects(client: Client, request: Request, policy: Policy) -> bool:
    if policy.redirects:
        path, query = path_of(request.head.target), request.head.target.partition(b"?")[2]
        for rule in policy.redirects:
            if location := rule.location(path, query):
                client.answer(request, rule.status, b"Location: " + location + b"\r\n", b"")
                return False
    return True


def _changes(client: Client, request: Request, policy: Policy) -> bool:
    """What the rules do to a request that they let in; never a reason to stop it."""
    head = request.head
    if policy.auth is not None:
        head.lines = _AUTHORIZATION.apply(head.lines)  # the site's password is not the app's to know
    if policy.request_edit is not None:
        head.lines = policy.request_edit.apply(head.lines)
    if policy.timeouts is not None:
        own = policy.timeouts
        client.limits = client.edge.waits.overridden(own.answer_s, own.body_s, own.stream_s)
        client.deadline = client.edge.now + client.limits.answer_s
    return True


_Check = Callable[["Client", Request, Policy], bool]
_AFTER_PASSWORD: Final[tuple[_Check, ...]] = (_redirects, _changes)
_CHECKS: Final[tuple[_Check, ...]] = (_address, _https, _maintenance, _rate, _size, _password, *_AFTER_PASSWORD)
