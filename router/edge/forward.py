"""Sends a request to an instance: picks one, takes a pooled connection or dials, and tries again where that is safe.

A retry looks the route up anew: while a table flips, an endpoint that has just left is replaced by those of now.
"""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING

from kernel.tasks import spawn
from router.core.balance import Endpoint, pick
from router.core.errors import ASLEEP, NO_INSTANCE, UPSTREAM_CLOSED, UPSTREAM_REFUSED, Refused
from router.core.records import RUNNING, SLEEPING, Route
from router.core.request import CLOSED_FRESH, CLOSED_UNUSED, DIAL, DIAL_FAILED, SENT, Request
from router.core.table import Release
from router.edge import policing
from router.edge.answering import HELD_BODY
from router.edge.dial import dial
from router.edge.upstream import Upstream

if TYPE_CHECKING:
    from router.edge.server import Client


def attempt(client: Client, request: Request, route: Route) -> None:
    """Gives the request to one of the route's instances, or refuses it."""
    edge = client.edge
    if request.head.final:
        client.answer(request, 200, b"", b"")
        return
    policy = route.policy
    release = edge.table.release_for(route) if policy is None else policing.release_for(client, request, route)
    if release is None or not release.endpoints or release.state == SLEEPING:
        _refuse_empty(client, release)
        return
    if policy is None or policy.lanes is None:
        endpoint = pick(release.endpoints, edge.now, request.tried)
    else:
        endpoint = edge.guard.lanes.pick(client, request, release, policy.lanes)
    if endpoint is None:
        if request.ruled is not None and request.ruled.waits:
            return
        failure = request.failure or Refused(UPSTREAM_REFUSED, "no instance of the app accepts connections")
        client.refuse(failure.kind, failure.detail)
        return
    if not request.attempts:
        if request.phase:  # it has waited for something
            request.queued = perf_counter() - request.started
        client.out = _head(client, request) + client.out
    request.attempts += 1
    request.endpoint = endpoint
    request.release = release.id
    upstream = Upstream.take(edge, endpoint, careful=request.head.method != b"GET")
    if upstream is not None:
        edge.metrics.reuses += 1
        send(client, request, upstream)
        return
    request.move(DIAL)
    client.deadline = 0.0  # the dial has its own
    _ = spawn(_dial(client, request, endpoint), "router.dial")


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
        client.out = b""  # a body is not kept, so such a request is not sent twice
    client.upstream = upstream
    upstream.begin(client, request)
    upstream.write(out)


def closed_early(client: Client, request: Request, unused: bool) -> None:
    """The upstream closed before any byte of an answer.

    Args:
        unused: it was a pooled connection that had answered requests before.
    """
    if request.may_retry(CLOSED_UNUSED if unused else CLOSED_FRESH):
        client.edge.metrics.retries += 1
        client.dispatch(request)
    else:
        client.refuse(UPSTREAM_CLOSED, "the app closed the connection before it answered")


def _head(client: Client, request: Request) -> bytes:
    head = request.head
    added = client.peer.lines(head)
    if head.upgrade:
        return head.lines + added + request.id + b"\r\nConnection: upgrade\r\nUpgrade: " + head.upgrade + b"\r\n\r\n"
    return head.lines + added + request.id + b"\r\n\r\n"


def _refuse_empty(client: Client, release: Release | None) -> None:
    if release is not None and release.state != RUNNING:
        client.refuse(ASLEEP, "the app is asleep")
    else:
        client.refuse(NO_INSTANCE, "no instance of the app is running")


async def _dial(client: Client, request: Request, endpoint: Endpoint) -> None:
    edge, begun = client.edge, perf_counter()
    try:
        upstream = await dial(edge, endpoint)
    except Refused as refused:
        request.connecting += perf_counter() - begun
        edge.metrics.dial_failures += 1
        endpoint.failed(edge.now)
        if _waits(client, request, endpoint):
            _dial_failed(client, request, endpoint, refused)
        return
    request.connecting += perf_counter() - begun
    edge.metrics.dials += 1
    endpoint.worked()
    if _waits(client, request, endpoint):
        send(client, request, upstream)
    else:
        upstream.give_back()


def _waits(client: Client, request: Request, endpoint: Endpoint) -> bool:
    return client.request is request and request.phase == DIAL and request.endpoint is endpoint


def _dial_failed(client: Client, request: Request, endpoint: Endpoint, refused: Refused) -> None:
    request.tried += (endpoint,)
    request.failure = refused
    if request.may_retry(DIAL_FAILED):
        client.edge.metrics.retries += 1
        client.dispatch(request)
    else:
        client.refuse(refused.kind, refused.detail)
