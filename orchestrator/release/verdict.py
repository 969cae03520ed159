"""Whether a canary does worse than what served before, by what the routers measured of both in the same time.

Two plain one-sided tests, each at the same confidence `Z`. They ask for proof that the canary is worse, so chance stops
no good release; and since they are asked again and again while a canary runs, the confidence is high (one look in a
thousand errs, not one in twenty).

- Errors: a two-proportion z-test of the 5xx rates (the app's, and the router's own for want of an answer) with the
  alternative rate(canary) > rate(base) + margin. One success and one failure are added to each side (Agresti and Caffo,
  The American Statistician 54, 2000), without which the test trusts small numbers too much.
- p95: more than 5 % of the canary's requests are slower than the base's p95 plus a margin: the lower Wilson bound of
  that share is above 0.05. The base's p95 is taken at the upper end of its own confidence interval, an order
  statistic, so few samples on that side make the test careful too.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Final, Literal

from kernel.activity import Latency, ReleaseActivity, quantile, share_above

Z: Final = 3.09  # one-sided, 0.1 %
_SLOW: Final = 0.05


@dataclass(frozen=True, slots=True)
class Margins:
    """What still counts as no worse.

    Attributes:
        requests: of each side, below which nothing is said. 20 failures in 20 are proof; fewer may be one bad page.
        error_rate: the canary's may be this much higher; an error in a hundred hides in most apps' noise.
        latency: its p95 may be this share higher; a cold cache costs about that.
        latency_s: and by so many seconds; a share of a millisecond says nothing.
    """

    requests: int = 20
    error_rate: float = 0.01
    latency: float = 0.25
    latency_s: float = 0.005


@dataclass(frozen=True, slots=True)
class Sample:
    """What was measured of one release.

    Attributes:
        requests: that ended.
        errors: of these, with 5xx or without an answer.
        latency: bucket -> requests that got an answer (kernel/activity.py).
    """

    requests: int = 0
    errors: int = 0
    latency: Latency = field(default_factory=dict)

    @property
    def error_rate(self) -> float:
        """0.0 without requests."""
        return self.errors / self.requests if self.requests else 0.0

    @property
    def p95_s(self) -> float:
        """0.0 without answers."""
        return quantile(self.latency, 1 - _SLOW)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is proved, and of what.

    Attributes:
        outcome: worse (proved), fine (not proved with enough samples), unknown (too few samples).
        reasons: in words, of what is worse or missing.
    """

    outcome: Literal["worse", "fine", "unknown"]
    reasons: tuple[str, ...]
    base: Sample
    canary: Sample


def sample(activity: ReleaseActivity) -> Sample:
    """The sample that routers' reports of a release make."""
    return Sample(activity.requests, activity.failed + activity.upstream_5xx, activity.latency)


def judge(base: Sample, canary: Sample, margins: Margins = Margins()) -> Verdict:
    """Compares a canary with the release beside it, measured by the same routers at the same time."""
    few = [
        f"only {one.requests} of {margins.requests} requests of the {name} are measured"
        for name, one in (("canary", canary), ("release before", base))
        if one.requests < margins.requests
    ]
    if few:
        return Verdict("unknown", tuple(few), base, canary)
    worse = []
    if _errs_more(base, canary, margins.error_rate):
        worse.append(f"{canary.error_rate:.1%} of its requests fail, {base.error_rate:.1%} did before")
    if _is_slower(base, canary, margins):
        worse.append(f"its p95 is {canary.p95_s * 1000:.0f} ms, {base.p95_s * 1000:.0f} ms before")
    return Verdict("worse" if worse else "fine", tuple(worse), base, canary)


def _errs_more(base: Sample, canary: Sample, margin: float) -> bool:
    rate, rate_before = _rate(canary), _rate(base)
    variance = rate * (1 - rate) / (canary.requests + 2) + rate_before * (1 - rate_before) / (base.requests + 2)
    return rate - rate_before - margin > Z * math.sqrt(variance)


def _rate(sample: Sample) -> float:
    return (sample.errors + 1) / (sample.requests + 2)


def _is_slower(base: Sample, canary: Sample, margins: Margins) -> bool:
    answers, before = sum(canary.latency.values()), sum(base.latency.values())
    if min(answers, before) < margins.requests:
        return False  # what got no answer is an error, not slow
    rank = 1 - _SLOW + Z * math.sqrt(_SLOW * (1 - _SLOW) / before)
    bound_s = max(quantile(base.latency, min(1.0, rank)) * (1 + margins.latency), base.p95_s + margins.latency_s)
    return _wilson_lower(share_above(canary.latency, bound_s), answers) > _SLOW


def _wilson_lower(share: float, count: int) -> float:
    """The lower bound of a proportion (Wilson, JASA 22, 1927)."""
    z2 = Z * Z
    spread = Z * math.sqrt(share * (1 - share) / count + z2 / (4 * count * count))
    return (share + z2 / (2 * count) - spread) / (1 + z2 / count)
