"""The first look at a request's header lines: most say nothing to a cache, or have no more than a cookie."""

from __future__ import annotations

import re
from typing import Final

# PLAIN: nothing. COOKIE: a cookie and nothing else. LOOK: something that has to be read.
PLAIN, COOKIE, LOOK = range(3)
_TELLING: Final = re.compile(rb"\n(?:cache-control|pragma|range|if-|authorization)").search


def glance(lines: bytes) -> int:
    """Whether header lines have to be read; compiled, glance.pxd stands in the place of this."""
    low = lines.lower()
    if _TELLING(low) is not None:
        return LOOK
    return COOKIE if b"\ncookie:" in low else PLAIN
