"""Lets a request wait for a release that sleeps, wakes, or has no instance for a moment, instead of refusing it.

The queue is that of the release (edge/lanes.py): bounded per release and per worker in number and in bytes, and in
time; when endpoints come, those who wait go on in order, an instance never getting more at once than its limit. A
sleeping release is asked for once per version of its record (`Edge.wake`; wakes.py), however many requests come. A
browser that waits long gets a page that reloads itself, so that a person sees what is going on; programs just wait.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from kernel.errors import ErrorKind
from router.core.errors import ASLEEP, HOLD_FULL, HOLD_TIMEOUT, NO_INSTANCE
from router.core.media import HTML, preferred
from router.core.records import RUNNING, SLEEPING, Route
from router.core.releases import Release
from router.core.request import Request
from router.edge.lanes import Waiter
from router.edge.policing import ruled_of

if TYPE_CHECKING:
    from router.edge.server import Client

_RETRY_AFTER_S: Final = 5
_OVERHEAD: Final = 1024  # bytes that a waiting connection costs beside what it has sent


def hold(client: Client, request: Request, route: Route, release: Release | None) -> None:
    """Lets the request wait, or refuses it."""
    edge = client.edge
    rule = route.policy.hold if route.policy is not None else None
    if release is not None and release.state == SLEEPING:
        edge.wake(release.id, release.version)
    kind, detail, wait_s = _wait(
        client, release, rule.wait_s if rule else math.nan, rule.switch_s if rule else math.nan
    )
    ruled = ruled_of(request)
    until = ruled.until = ruled.until or edge.now + wait_s
    if not wait_s or until <= edge.now:
        client.refuse(kind, detail, retry_after=_RETRY_AFTER_S)
        return
    if ruled.lanes is None:
        ruled.lanes = edge.guard.gentle
    edge.guard.lanes.leave(request)
    name = release.id if release is not None else ruled.release or route.release or route.weights[0][0]
    size = len(request.head.lines) + len(client.out) + _OVERHEAD
    if not ruled.called and _is_full(client, name, size, rule.queue if rule else -1):
        client.refuse(HOLD_FULL, "too many requests wait for this app already", retry_after=_RETRY_AFTER_S)
        return
    if kind is ASLEEP:
        request.cold = True
    if not ruled.called:
        edge.metrics.held += 1
        if request.activity is None:
            request.activity = edge.activities.of(name, request.started)
        request.activity.held += 1
    waiter = Waiter(client, request, until, HOLD_TIMEOUT if kind is ASLEEP else kind, detail)
    waiter.held = True
    waiter.size = size
    page_s = rule.page_s if rule is not None and not math.isnan(rule.page_s) else edge.settings.hold_page_s
    if page_s and kind is ASLEEP and navigates(request):
        waiter.page_at = until - wait_s + page_s
    edge.guard.lanes.add(name, waiter)


def navigates(request: Request) -> bool:
    """Whether a person in a browser waits to see a page."""
    head = request.head
    if head.method != b"GET" or preferred(head.header(b"accept")) != HTML:
        return False
    return head.header(b"sec-fetch-mode") in (b"", b"navigate")


def _wait(client: Client, release: Release | None, wait_s: float, switch_s: float) -> tuple[ErrorKind, str, float]:
    """What there is not, and how long one waits for it."""
    settings = client.edge.settings
    if release is not None and release.state != RUNNING:
        detail = "the app is asleep" if release.state == SLEEPING else "the app is waking up"
        return ASLEEP, detail, settings.hold_s if math.isnan(wait_s) else wait_s
    return NO_INSTANCE, "no instance of the app is running", settings.switch_s if math.isnan(switch_s) else switch_s


def _is_full(client: Client, release: str, size: int, most: int) -> bool:
    edge, settings = client.edge, client.edge.settings
    lanes = edge.guard.lanes
    if lanes.held >= settings.hold_total or lanes.bytes + size > settings.hold_bytes:
        return True
    lane = lanes.lane(release)
    held, held_bytes = (lane.held, lane.bytes) if lane is not None else (0, 0)
    return held >= (settings.hold_queue if most < 0 else most) or held_bytes + size > settings.hold_release_bytes
