"""What is said when a limit is reached: which, how much of it is used, and what to do. Pure."""

from __future__ import annotations

from typing import Final

from control.projects.limits.plans import NO_LIMIT
from kernel.errors import ErrorKind, ShipoffError, define

_PLAN: Final = "or ask whoever runs the platform for more: shipoff limits"
LIMIT_PROJECTS = define(
    "LIMIT_PROJECTS", source="client", status=402, hint=f"delete a project that is not needed, {_PLAN}"
)
LIMIT_PREVIEWS = define(
    "LIMIT_PREVIEWS",
    source="client",
    status=402,
    hint=f"end one that is not needed (shipoff previews list, shipoff previews delete BRANCH), {_PLAN}",
)
LIMIT_DOMAINS = define(
    "LIMIT_DOMAINS", source="client", status=402, hint=f"remove a domain that is not needed, {_PLAN}"
)
LIMIT_BUILD_MINUTES = define(
    "LIMIT_BUILD_MINUTES",
    source="client",
    status=402,
    hint=f"what is live goes on, and rollbacks work; builds go on with the next month, {_PLAN}",
)
LIMIT_REQUESTS = define(
    "LIMIT_REQUESTS",
    source="client",
    status=402,
    hint=f"what is live goes on, and rollbacks work; builds go on with the next month, {_PLAN}",
)
LIMIT_BANDWIDTH = define(
    "LIMIT_BANDWIDTH",
    source="client",
    status=402,
    hint=f"what is live goes on, and rollbacks work; builds go on with the next month, {_PLAN}",
)

# What is used up in a month, and what it refuses then.
MONTHLY: Final = {
    "build_minutes": LIMIT_BUILD_MINUTES,
    "requests": LIMIT_REQUESTS,
    "bandwidth_mb": LIMIT_BANDWIDTH,
}
WORDS: Final = {
    "projects": "projects",
    "previews": "previews of a project at a time",
    "domains": "custom domains",
    "build_minutes": "build minutes a month",
    "requests": "requests a month",
    "bandwidth_mb": "MiB of bandwidth a month",
}


def refusal(kind: ErrorKind, name: str, plan: str, limit: int, used: int) -> ShipoffError:
    """The error to raise."""
    return kind(f"the plan {plan} gives {limit:,} {WORDS[name]}, and {used:,} are used")


def is_reached(limit: int, used: int) -> bool:
    """Whether there is no room for one more."""
    return limit != NO_LIMIT and used >= limit
