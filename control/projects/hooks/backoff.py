"""When a delivery that failed is tried again: exponentially later, within a day. Pure."""

from __future__ import annotations

import random
from typing import Final

ATTEMPTS: Final = 8
FIRST_S: Final = 5.0
FACTOR: Final = (
    4.8  # 5 s, 24 s, 2 min, 9 min, 44 min, 3.5 h, 17 h: the eighth attempt comes 19 to 24 hours after the first
)
JITTER: Final = 0.1  # of the delay to both sides: what failed together is not tried together


def delay_s(attempts: int) -> float | None:
    """How long after an attempt the next one follows.

    Args:
        attempts: made so far, at least 1.

    Returns:
        Seconds, or None: it was the last.
    """
    if attempts >= ATTEMPTS:
        return None
    return FIRST_S * FACTOR ** (attempts - 1) * random.uniform(1 - JITTER, 1 + JITTER)
