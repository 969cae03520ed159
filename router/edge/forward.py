"""Sends a request to an instance: picks one, takes a pooled connection or dials, and tries again where that is safe.

A retry looks the route up anew: while a table flips, an endpoint that has just left is replaced by those of now.
What fails here is told to core/health.py, which may set the endpoint aside.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from kernel.tasks import spawn
from router import clock
from router.core import glue, health
from router.core.balance import Endpoint, pick
from router.core.errors import NO_CONNECTION, RETRIES_SPENT, UPSTREAM_CLOSED, UPSTREAM_REFUSED, Refused
from router.core.records import SLEEPING, Route
from router.core.request import DIAL, SENT, Request
from router.core.retry import AGAIN, DIAL_FAILED, SPENT, verdict
from router.edge import hold, policing
from router.edge.answering import HELD_BODY
from router.edge.dial import dial
from router.edge.upstream import Upstream, take

if TYPE_CHECKING:
    from router.core.releases import Release
    from router.edge.server import Client

_MOST_KEPT: Final = 65536


def attempt(client: Client, request: Request, route: Route) -> None:
    """Gives the request to one of the route's instances, lets it wait for one, or refuses it."""
    edge = client.edge
    if request.head.final:
        client.answer(request, 200, b"", b"")
        return
    policy = route.policy
    release = edge.table.release_for(route) if policy is None else policing.release_for(client, request, route)
    if policy is not None and policy.cache is not None and policing.from_cache(client, request, route, release):
        return
    if release is None or not release.endpoints or release.state == SLEEPING:
        hold.hold(client, request, route, release)
        return
    endpoint = _pick(client, request, release)
    if endpoint is None:
        return
    upstream = take(edge, endpoint, careful=request.attempts > 0 or request.head.method != b"GET")
    if upstream is None and not edge.has_room(endpoint):
        edge.guard.lanes.wait(client, request, release)
        return
    if not request.attempts:
        _prepare(client, request, release)
    request.attempts += 1
    request.endpoint = endpoint
    request.release = release.id
    if upstream is not None:
        edge.metrics.reuses += 1
        send(client, request, upstream)
        return
    request.move(DIAL)
    client.deadline = 0.0  # the dial has its own
    edge.opened(endpoint)
    _ = spawn(_dial(client, request, endpoint), "router.dial")


def _pick(client: Client, request: Request, release: Release) -> Endpoint | None:
    """An instance with room; None when the request waits for one, or was refused."""
    edge, ruled = client.edge, request.ruled
    if ruled is None or ruled.lanes is None:
        endpoint = pick(release.endpoints, edge.now, request.tried)
    else:
        endpoint = edge.guard.lanes.pick(client, request, release)
        if endpoint is None and ruled.waits:
            return None
    if endpoint is None:
        failure = request.failure or Refused(UPSTREAM_REFUSED, "no instance of the app accepts connections")
        client.refuse(failure.kind, failure.detail)
    return endpoint


def send(client: Client, request: Request, upstream: Upstream) -> None:
    """Writes the request, as far as it is here, to a connection."""
    request.move(SENT)
    settings = client.limits
    client.deadline = client.edge.now + (settings.body_s if request.left else settings.answer_s)
    out = client.out
    if client.held:
        out = b"".join((out, *client.held))
        client.held = []
        client.go_on(HELD_BODY)
    if request.head.length:
        client.out = out if len(out) <= _MOST_KEPT else b""  # what is kept may be sent again
    client.upstream = upstream
    upstream.begin(client, request)
    upstream.write(out)


def _prepare(client: Client, request: Request, release: Release) -> None:
    """What is done once, before the first attempt."""
    if request.phase:  # it has waited for something
        request.queued = clock.perf_counter() - request.started
    client.out = _head(client, request) + client.out
    release.budget.requests += 1
    activity = request.activity = client.edge.activities.of(release.id, request.started)
    activity.begin(request.started + request.queued)


def _head(client: Client, request: Request) -> bytes:
    head = request.head
    added = client.added if head.plain and head.minor else client.peer.lines(head)
    if head.upgrade:
        return head.lines + added + request.id + b"\r\nConnection: upgrade\r\nUpgrade: " + head.upgrade + b"\r\n\r\n"
    return glue.glue(head.lines, added, request.id, b"\r\n\r\n", b"")


# --- what goes wrong --------------------------------------------------------------------------------------------------


def closed_early(client: Client, request: Request, endpoint: Endpoint, failure: int, fresh: bool) -> None:
    """The upstream closed before any byte of an answer.

    Args:
        failure: how; one of core/retry.py.
        fresh: its connection had answered nothing before, so that this is no race with an idle time.
    """
    if fresh:
        request.tried += (endpoint,)
        _failed(client, request, endpoint)
    refused = Refused(UPSTREAM_CLOSED, "the app closed the connection before it answered")
    _try_again(client, request, failure, refused)


def timed_out(client: Client, request: Request) -> None:
    """The request is about to be refused because its answer did not come in time."""
    if request.phase == SENT and request.endpoint is not None:
        _failed(client, request, request.endpoint)


def note_answer(client: Client, request: Request, endpoint: Endpoint) -> None:
    """An answer's head has come that may say something about its instance: an error, or the end of a streak."""
    if request.status in _rule(request).statuses:
        _failed(client, request, endpoint)
    elif endpoint.streak:
        health.answered(endpoint, client.edge.now)


def _failed(client: Client, request: Request, endpoint: Endpoint) -> None:
    rule = _rule(request)
    if health.failed(endpoint, _others(client, request), client.edge.now, rule):
        _watch(client, request, endpoint, rule)


def _watch(client: Client, request: Request, endpoint: Endpoint, rule: health.Health) -> None:
    client.edge.metrics.ejections += 1
    client.edge.prober.watch(endpoint, rule.path, request.head.host)


def _rule(request: Request) -> health.Health:
    return (request.ruled and request.ruled.policy.health) or health.DEFAULT


def _others(client: Client, request: Request) -> tuple[Endpoint, ...]:
    release = client.edge.table.releases.get(request.release)
    return release.endpoints if release is not None else ()


def _try_again(client: Client, request: Request, failure: int, refused: Refused) -> None:
    """Sends the request again, or refuses it with what went wrong."""
    edge, settings = client.edge, client.edge.settings
    request.failure = refused
    release = edge.table.releases.get(request.release)
    budget = release.budget if release is not None else edge.guard.budget
    limits = (settings.retry_s, settings.retry_share, settings.retry_per_s)
    judged = verdict(request, failure, bool(client.out), budget, edge.now, limits)
    if judged == AGAIN:
        edge.metrics.retries += 1
        client.dispatch(request)
    elif judged == SPENT:
        edge.metrics.retries_spent += 1
        client.refuse(RETRIES_SPENT, f"{refused.detail}, and too many requests are being sent again")
    else:
        client.refuse(refused.kind, refused.detail)


# --- dials ------------------------------------------------------------------------------------------------------------


async def _dial(client: Client, request: Request, endpoint: Endpoint) -> None:
    edge, begun = client.edge, clock.perf_counter()
    try:
        upstream = await dial(edge, endpoint)
    except Refused as refused:
        request.connecting += clock.perf_counter() - begun
        edge.metrics.dial_failures += 1
        rule = _rule(request)
        ours = refused.kind is NO_CONNECTION  # and no fault of the endpoint
        if not ours and health.dial_failed(endpoint, _others(client, request), edge.now, rule):
            _watch(client, request, endpoint, rule)
        if _waits(client, request, endpoint):
            request.tried += (endpoint,)
            _try_again(client, request, DIAL_FAILED, refused)
        return
    request.connecting += clock.perf_counter() - begun
    edge.metrics.dials += 1
    if endpoint.failures:
        health.dial_worked(endpoint)
    if not _waits(client, request, endpoint):
        upstream.give_back()
    elif endpoint.gone:  # its address may be another instance's by now, and nothing was sent
        upstream.transport.close()
        _try_again(client, request, DIAL_FAILED, Refused(UPSTREAM_REFUSED, "the instance has left"))
    else:
        send(client, request, upstream)


def _waits(client: Client, request: Request, endpoint: Endpoint) -> bool:
    return client.request is request and request.phase == DIAL and request.endpoint is endpoint
