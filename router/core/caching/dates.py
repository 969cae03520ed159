"""HTTP dates as caches read them: three forms, any case, GMT only (RFC 9110, section 5.6.7; RFC 9111, section 4.2)."""

from __future__ import annotations

import calendar
import re
import time
from email.utils import formatdate
from typing import Final

_MONTHS: Final = {name: at for at, name in enumerate(b"jan feb mar apr may jun jul aug sep oct nov dec".split(), 1)}
_MONTH: Final = rb"(?P<month>jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)"
_CLOCK: Final = rb"(?P<hour>[0-9]{2}):(?P<minute>[0-9]{2}):(?P<second>[0-9]{2})"
_FORMS: Final = (
    re.compile(
        rb"(?:mon|tue|wed|thu|fri|sat|sun), (?P<day>[0-9]{2}) " + _MONTH + rb" (?P<year>[0-9]{4}) " + _CLOCK + rb" gmt"
    ).fullmatch,
    re.compile(
        rb"(?:mon|tues|wednes|thurs|fri|satur|sun)day, (?P<day>[0-9]{2})-"
        + _MONTH
        + rb"-(?P<year>[0-9]{2}) "
        + _CLOCK
        + rb" gmt"
    ).fullmatch,
    re.compile(
        rb"(?:mon|tue|wed|thu|fri|sat|sun) " + _MONTH + rb" (?P<day>[0-9 ][0-9]) " + _CLOCK + rb" (?P<year>[0-9]{4})"
    ).fullmatch,
)


def read_date(value: bytes) -> int | None:
    """Seconds since the epoch, or None when it is no date."""
    text = value.lower()
    for form in _FORMS:
        match = form(text)
        if match is not None:
            return _seconds(match)
    return None


def write_date(seconds: float) -> bytes:
    """The form in which dates are sent."""
    return formatdate(seconds, usegmt=True).encode()


def _seconds(match: re.Match[bytes]) -> int | None:
    year, month, day = int(match["year"]), _MONTHS[match["month"]], int(match["day"])
    if len(match["year"]) == 2:  # more than 50 years ahead is meant as the past
        now = time.gmtime().tm_year
        year += now - now % 100
        if year > now + 50:
            year -= 100
    hour, minute, second = int(match["hour"]), int(match["minute"]), int(match["second"])
    if not (1 <= day <= calendar.monthrange(max(year, 1), month)[1] and hour < 24 and minute < 60 and second < 61):
        return None
    return calendar.timegm((year, month, day, hour, minute, second, 0, 0, 0))
