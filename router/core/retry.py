"""What may be sent again: by what had been sent, how often, for how long, and within the release's retry budget.

    nothing was sent (the dial failed, or no byte of the head was taken)      any method
    a reused connection closed before a byte of an answer                     what can be done twice
    a new connection closed, or an answer had begun                           nothing

What can be done twice is an idempotent method, or any that carries an Idempotency-Key, as long as all its bytes are
still here. A retry makes work for an app that may be in trouble already, so a release has a budget of them: a share of
its requests of the last seconds and a few a second. Only the first retry after a failed dial is free: the app has not
seen that request, and the endpoint that refused it is set aside.
"""

from __future__ import annotations

from typing import Final

from router.core.request import Request

MAX_ATTEMPTS: Final = 4
# How an attempt can fail before any byte of an answer.
DIAL_FAILED, UNTAKEN, CLOSED_REUSED, CLOSED_FRESH = range(4)
NO, AGAIN, SPENT = range(3)

_WINDOW_S: Final = 10.0
_IDEMPOTENT: Final = frozenset((b"GET", b"HEAD", b"OPTIONS", b"PUT", b"DELETE"))


class Budget:
    """The retries that a release may have; lives on across the versions of its record.

    Attributes:
        requests: given to its endpoints so far; counted by whoever sends them.
    """

    __slots__ = ("_at", "_counted", "_tokens", "requests")

    def __init__(self) -> None:
        self.requests = 0
        self._counted = 0
        self._tokens = -1.0
        self._at = 0.0

    def spend(self, share: float, per_s: float, now: float) -> bool:
        """Takes one retry; False when there is none left.

        Args:
            share: retries per request, e.g. 0.2.
            per_s: retries a second beside these, so that few requests can be retried too.
            now: seconds of any monotonic clock.
        """
        self._earn(share, per_s, now)
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True

    def left(self, share: float, per_s: float, now: float) -> float:
        """The retries that could be had now."""
        self._earn(share, per_s, now)
        return self._tokens

    def _earn(self, share: float, per_s: float, now: float) -> None:
        """What was earned more than `_WINDOW_S` ago is forgotten, as if it had come in evenly."""
        if self._tokens < 0:
            self._tokens, self._at = per_s * _WINDOW_S, now
        passed = now - self._at
        earned = share * (self.requests - self._counted) + per_s * passed
        kept = max(0.0, 1 - passed / _WINDOW_S)
        self._tokens = self._tokens * kept + earned * min(1.0, _WINDOW_S / passed if passed else 1.0)
        self._counted, self._at = self.requests, now


def may_repeat(request: Request, failure: int, kept: bool, failing_s: float, most_s: float) -> bool:
    """Whether the request may go to another connection, its budget aside.

    Args:
        failure: how the attempt failed.
        kept: every byte of it that had been sent is still here.
        failing_s: seconds since its first failure.
        most_s: for how long it may be tried again.
    """
    if request.attempts >= MAX_ATTEMPTS or failing_s > most_s:
        return False
    if failure == DIAL_FAILED:
        return True
    if not kept:
        return False
    if failure == UNTAKEN:
        return True
    return failure == CLOSED_REUSED and can_repeat(request)


def can_repeat(request: Request) -> bool:
    """Whether doing it twice is doing it once (RFC 9110, section 9.2.2), by its method or by its sender's word."""
    return request.head.method in _IDEMPOTENT or bool(request.head.header(b"idempotency-key"))


def verdict(
    request: Request, failure: int, kept: bool, budget: Budget, now: float, limits: tuple[float, float, float]
) -> int:
    """Decides over a failed attempt; may take from the budget.

    Args:
        now: seconds of the clock of `request.failed_at`, which is set here at its first failure.
        limits: seconds for which a request may be tried again; the budget's share and retries per second.

    Returns:
        AGAIN, NO, or SPENT when only the budget stands in the way.
    """
    most_s, share, per_s = limits
    if not request.failed_at:
        request.failed_at = now
    if not may_repeat(request, failure, kept, now - request.failed_at, most_s):
        return NO
    if failure == DIAL_FAILED and len(request.tried) <= 1:
        return AGAIN
    return AGAIN if budget.spend(share, per_s, now) else SPENT
