"""When an endpoint is set aside, for how long, and how it comes back; as one worker sees it, from requests and probes.

    GOOD   --failures in a row reach their number--> ASIDE
    ASIDE  --a probe proves it, or the backoff is over--> TRIAL
    TRIAL  --a good answer--> GOOD        --one failure--> ASIDE, twice as long

A failed dial sets aside at once: nobody listens there. What only looks like a failure of the instance (a reset before
an answer, no answer in time, 502, 503 or 504) has to happen several times in a row. A connection proves what a dial
had disproved; answers are proved by a health path when the rule names one, else by the first requests after the
backoff.

Nothing is set aside for ever: `aside_until` is always finite, and whoever looks after it finds the endpoint on trial.
The last one of a release never goes, and answers alone (which one visitor with a bad path can provoke) put at most a
share of a release aside at a time. This module looks at no clock and sends nothing; edge/probing.py probes.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import random
from typing import Final

from router.core.balance import Endpoint
from router.core.reading import Reader, wrong

FIRST_ASIDE_S: Final = 0.5
LONGEST_ASIDE_S: Final = 30.0
JITTER: Final = 0.2
_STEADY_S: Final = 10.0
_LONGEST_PROBE_S: Final = 5.0
_DEFAULT_STATUSES: Final = frozenset((502, 503, 504))

# Why an endpoint is aside.
NOT_ASIDE, BY_DIAL, BY_ANSWERS = "", "dial", "answers"


class Health:
    """A route's rule `health`: `{"path", "eject", "statuses", "streak", "share"}`.

    Attributes:
        path: asked for with GET by a probe; b"" probes by a dial.
        eject: endpoints are set aside at all.
        statuses: answers that count as failures of the instance; the rule's list replaces 502, 503 and 504.
        streak: failures in a row that set an endpoint aside; a failed dial does at once.
        share: the part of a release that answers may set aside at a time; one endpoint at least.
    """

    __slots__ = ("eject", "path", "share", "statuses", "streak")

    def __init__(self, reader: Reader) -> None:
        self.path = reader.text("path", "").encode()
        if (self.path and not self.path.startswith(b"/")) or b" " in self.path:
            raise wrong(reader.path("path"), "not an absolute path")
        self.eject = reader.flag("eject", True)
        listed = reader.take("statuses")
        self.statuses = _DEFAULT_STATUSES if listed is None else _statuses(listed, reader.path("statuses"))
        self.streak = reader.whole("streak", 5, 1, 1000)
        self.share = reader.number("share", 0.5, 0.0, 1.0)


def _statuses(listed: object, field: str) -> frozenset[int]:
    if not isinstance(listed, list) or not all(type(item) is int and 500 <= item <= 599 for item in listed):
        raise wrong(field, "not a list of statuses from 500 to 599")
    return frozenset(listed)


DEFAULT: Final = Health(Reader({}, "health"))


def dial_failed(endpoint: Endpoint, others: Sequence[Endpoint], now: float, rule: Health = DEFAULT) -> bool:
    """Nobody accepted a connection; tells whether the endpoint has been set aside for it.

    Args:
        others: all endpoints of the release, this one included or not.
        now: seconds of any monotonic clock.
    """
    endpoint.failures += 1
    if endpoint.aside_until > now or not rule.eject or not _spared(endpoint, others, now):
        return False
    _set_aside(endpoint, now, BY_DIAL)
    return True


def dial_worked(endpoint: Endpoint) -> None:
    """A connection was made: what failed dials had said is disproved."""
    endpoint.failures = 0
    if endpoint.why == BY_DIAL:
        readmit(endpoint)


def failed(endpoint: Endpoint, others: Sequence[Endpoint], now: float, rule: Health = DEFAULT) -> bool:
    """A request was not answered, or with one of the rule's statuses; tells whether that has set the endpoint aside."""
    if endpoint.aside_until > now:
        return False  # a request of before
    endpoint.streak += 1
    if not rule.eject or (endpoint.streak < rule.streak and not endpoint.trial):
        return False
    most = max(1, int(len(others) * rule.share)) if rule.share else 0
    if sum(e.aside_until > now for e in others) >= most or not _spared(endpoint, others, now):
        return False
    _set_aside(endpoint, now, BY_ANSWERS)
    return True


def answered(endpoint: Endpoint, now: float) -> None:
    """A good answer ends a streak; on trial it ends the trial. Called only while `endpoint.streak` is not 0."""
    if endpoint.aside_until > now:
        return  # an answer to a request of before
    endpoint.streak = 0
    endpoint.trial = False
    endpoint.why = NOT_ASIDE


def probed(endpoint: Endpoint, good: bool, proves: bool, now: float) -> bool:
    """A probe has ended; tells whether the endpoint is back.

    Args:
        good: it found what it looked for.
        proves: it asked the health path; a mere connection proves only what a dial had disproved.
    """
    if not endpoint.aside_until:
        return False  # it has come back meanwhile
    over = now >= endpoint.ends
    if good and (proves or over or endpoint.why == BY_DIAL):
        endpoint.failures = 0
        readmit(endpoint)  # where only a connection was proved and the backoff is over, requests are the probe
        return True
    if over:
        _set_aside(endpoint, now, endpoint.why)
    else:
        endpoint.aside_until = endpoint.ends
        _plan_probe(endpoint, now)
    return False


def probing(endpoint: Endpoint, now: float, within_s: float) -> None:
    """A probe begins: the endpoint stays aside until its end, at most `within_s` seconds."""
    endpoint.probe_at = now + within_s
    endpoint.aside_until = max(endpoint.ends, now + within_s)


def readmit(endpoint: Endpoint) -> None:
    """Takes an endpoint back, on trial."""
    endpoint.aside_until = 0.0
    endpoint.trial = True
    endpoint.streak = 1  # makes the next answer count


def _spared(endpoint: Endpoint, others: Sequence[Endpoint], now: float) -> bool:
    """Whether another one stays to serve."""
    return any(e is not endpoint and e.weight and e.aside_until <= now for e in others)


def _set_aside(endpoint: Endpoint, now: float, why: str) -> None:
    if now > endpoint.steady_at:
        endpoint.level = 0
    backoff = min(FIRST_ASIDE_S * 2.0 ** min(endpoint.level, 16), LONGEST_ASIDE_S)
    backoff *= 1 + JITTER * (2 * random() - 1)
    endpoint.level += 1
    endpoint.why = why
    endpoint.trial = True  # whatever ends the backoff, one more failure is enough
    endpoint.streak = 1
    endpoint.ends = endpoint.aside_until = now + backoff
    endpoint.steady_at = endpoint.ends + max(_STEADY_S, backoff)
    _plan_probe(endpoint, now)


def _plan_probe(endpoint: Endpoint, now: float) -> None:
    endpoint.probe_at = min(endpoint.ends, now + min((endpoint.ends - now) / 2 + 0.05, _LONGEST_PROBE_S))
