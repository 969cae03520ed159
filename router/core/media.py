"""Which form of an answer of the router's own a client reads best: its Accept header with weights (RFC 9110, 12.5.1).

Whoever names a form gets it: a browser HTML, a program JSON, a person with `Accept: text/plain` text. Who takes
anything (`*/*`, as curl and most libraries send) or says nothing is a program until it says otherwise, and gets JSON.
Nobody gets a 406: an error that cannot be read is worse than one in another form (RFC 9110 allows that).
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

JSON, HTML, TEXT = range(3)
# What each form answers for; the first of equal ones in this order is taken when only wildcards tell.
_NAMES: Final = (
    (b"application/problem+json", b"application/json"),
    (b"text/html", b"application/xhtml+xml"),
    (b"text/plain",),
)
_RANGE: Final = re.compile(rb"([!#$%&'*+\-.^_`|~0-9a-z]+/[!#$%&'*+\-.^_`|~0-9a-z]+|\*)").match
_WEIGHT: Final = re.compile(rb";[ \t]*q=[ \t]*(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)[ \t]*(?:;|$)").search
_MOST: Final = 64


class _Wish(NamedTuple):
    """One element of an Accept header, and where it stands."""

    media: bytes
    weight: float
    place: int


def preferred(accept: bytes) -> int:
    """The form: JSON, HTML or TEXT.

    Args:
        accept: the header's value, b"" when there is none.
    """
    wishes = [wish for place, part in enumerate(accept.lower().split(b",")[:_MOST]) if (wish := _wish(part, place))]
    if not wishes:
        return JSON
    best, form = (0.0, 0, 0), JSON
    for candidate, names in enumerate(_NAMES):
        score = max(_score(name, wishes) for name in names)
        if score > best:
            best, form = score, candidate
    return form


def _wish(part: bytes, place: int) -> _Wish | None:
    part = part.strip(b" \t")
    match = _RANGE(part)
    if match is None:
        return None
    weight = _WEIGHT(part)
    return _Wish(match[1], float(weight[1]) if weight else 1.0, place)


def _score(name: bytes, wishes: list[_Wish]) -> tuple[float, int, int]:
    """Weight, how exactly it was named, and how early; of the most exact element that is about it."""
    about = (name, name.partition(b"/")[0] + b"/*", b"*/*")
    for exactness, media in zip((2, 1, 0), about, strict=True):
        for wish in wishes:
            if wish.media == media or (media == b"*/*" and wish.media == b"*"):
                return (wish.weight, exactness, -wish.place) if wish.weight else (0.0, 0, 0)
    return 0.0, 0, 0
