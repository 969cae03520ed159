"""For how long an app keeps idle connections, as learned from what it does, so that ours close before its own do.

An app that closes a pooled connection while a request is on its way causes the commonest 502 of all proxies. Some say
how long they wait (`Keep-Alive: timeout=5`), most do not: then the age at which they close is what is known. An app
that ends closes all its connections at once, whatever their age, so a moment teaches once, and never more than half;
connections that last teach the other way.
"""

from __future__ import annotations

from typing import Final

from router.core.balance import Endpoint

_MARGIN_S: Final = 1.0
_PART: Final = 0.8
_SLOWER: Final = 1.1
_STEP_S: Final = 0.05


def told(timeout_s: float) -> float:
    """How long a connection may idle when the app says that it closes it after `timeout_s` seconds."""
    return max(timeout_s - _MARGIN_S, timeout_s / 2)


def closed_by_app(endpoint: Endpoint, age_s: float, most_s: float, now: float) -> None:
    """The app has closed a pooled connection.

    Args:
        age_s: for how long it had been idle.
        most_s: for how long it would have been kept.
    """
    known = min(endpoint.idle_s, most_s)
    shorter = max(age_s * _PART, known / 2)
    if endpoint.learned_at != now and shorter < known:
        endpoint.learned_at = now
        endpoint.idle_s = shorter


def lasted(endpoint: Endpoint, most_s: float) -> None:
    """A pooled connection was still open at the end of its time, so the next may idle a little longer."""
    longer = endpoint.idle_s * _SLOWER + _STEP_S
    endpoint.idle_s = longer if longer < most_s else float("inf")
