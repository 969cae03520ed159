"""Whether a stored answer serves a request as it is, after a question to the origin, or while that is asked (4.2.4)."""

from __future__ import annotations

from router.core.caching.asked import Asked
from router.core.caching.directives import ABSENT
from router.core.caching.stored import Stored

# FRESH: serve. STALE: serve, as the client allowed. BACKGROUND: serve, and ask the origin for the next one.
# ASK: ask first. PASS: it is not this request's to have.
FRESH, STALE, BACKGROUND, ASK, PASS = range(5)


def judge(stored: Stored, asked: Asked, now: float) -> int:
    """What becomes of a request for which an answer is stored.

    Args:
        now: seconds since the epoch.
    """
    if asked.authorized and not stored.for_authorized:
        return PASS
    if stored.no_cache:
        return ASK
    left = stored.lifetime - (now - stored.born)
    if asked.directives is not None and not _is_content(stored, asked, now, left):
        return ASK
    if left > 0:
        return FRESH
    if not stored.never_stale:
        if -left < stored.stale_while_revalidate:
            return BACKGROUND
        if not stored.bound and asked.directives is not None and -left <= asked.directives.max_stale:
            return STALE
    return ASK


def may_serve_after_error(stored: Stored, asked: Asked, now: float) -> bool:
    """Whether a stored answer may stand for an error of the origin (RFC 5861, section 4)."""
    if stored.no_cache or stored.never_stale or (asked.authorized and not stored.for_authorized):
        return False
    if asked.directives is not None and asked.directives.no_cache:
        return False
    wanted = asked.directives.stale_if_error if asked.directives is not None and not stored.bound else ABSENT
    return now - stored.born - stored.lifetime <= max(stored.stale_if_error, wanted)


def _is_content(stored: Stored, asked: Asked, now: float, left: float) -> bool:
    """Whether the request's own directives let it have the stored answer (section 5.2.1)."""
    directives = asked.directives
    if directives is None:
        return True
    if directives.no_cache:
        return False
    if directives.max_age != ABSENT and now - stored.born > directives.max_age:
        return False
    return directives.min_fresh == ABSENT or left >= directives.min_fresh
