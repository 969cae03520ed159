"""For how long an answer is fresh and how old it is (RFC 9111, section 4.2)."""

from __future__ import annotations

import re
from typing import Final

from router.core.caching.dates import read_date
from router.core.caching.directives import ABSENT, MOST_S, Directives
from router.core.caching.fieldlines import FieldLines

# Statuses whose answers may be fresh without saying so (RFC 9110, section 15.1); 206 is never stored here.
HEURISTIC: Final = frozenset((200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501))
_TENTH: Final = 0.1
_MOST_GUESSED_S: Final = 86_400
_AGE: Final = re.compile(rb"[0-9]+").fullmatch


def explicit_lifetime(fields: FieldLines, directives: Directives, is_targeted: bool, date: float) -> float | None:
    """Seconds of freshness that an answer states, None when it states none (section 4.2.1).

    Args:
        is_targeted: the directives come from a field meant for us, so Expires does not count (RFC 9213, section 2.1).
        date: when the origin made it.
    """
    if directives.s_maxage != ABSENT:
        return directives.s_maxage
    if directives.max_age != ABSENT:
        return directives.max_age
    expires = [] if is_targeted else fields.values(b"expires")
    if not expires:
        return None
    first = read_date(expires[0])
    if first is None or any(value != expires[0] for value in expires):
        return 0.0
    return max(0.0, first - date)


def guessed_lifetime(status: int, fields: FieldLines, directives: Directives, date: float) -> float:
    """Seconds of freshness of an answer that states none: a tenth of its age when it was sent (section 4.2.2)."""
    if status not in HEURISTIC and not directives.public:
        return 0.0
    modified = read_date(fields.value(b"last-modified"))
    if modified is None or modified >= date:
        return 0.0
    return min((date - modified) * _TENTH, _MOST_GUESSED_S)


def initial_age(fields: FieldLines, date: float, asked_at: float, came_at: float) -> float:
    """Seconds of age with which an answer came (section 4.2.3).

    Args:
        date: when the origin made it; came_at when it does not say.
        asked_at, came_at: when the request was sent and the head of the answer came.
    """
    sent = fields.joined(b"age").partition(b",")[0].strip(b" \t")  # section 5.1: the first of a list
    age = min(int(sent), MOST_S) if _AGE(sent) and len(sent) < 20 else MOST_S if _AGE(sent) else 0
    # Dates are cut to whole seconds: an answer of this very second is no part of one old.
    return max(0.0, int(came_at) - date, age + max(0.0, came_at - asked_at))
