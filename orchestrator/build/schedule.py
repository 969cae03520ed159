"""Whether a cron schedule can be read: five fields of cron(5) with numbers, or a name such as @daily."""

from __future__ import annotations

import re
import zoneinfo
from typing import Final

NAMES: Final = frozenset({"@hourly", "@daily", "@weekly", "@monthly"})
FIELDS: Final = (("minute", 0, 59), ("hour", 0, 23), ("day", 1, 31), ("month", 1, 12), ("weekday", 0, 7))
_PART: Final = re.compile(r"(?:\*|(\d{1,2})(?:-(\d{1,2}))?)(?:/(\d{1,2}))?")


def check_schedule(schedule: str) -> str:
    """Returns the schedule.

    Raises:
        ValueError: it can't be read, with the field that is wrong.
    """
    fields = schedule.split()
    if schedule in NAMES:
        return schedule
    if len(fields) != len(FIELDS):
        raise ValueError('five fields (minute hour day month weekday), such as "0 3 * * *", or @daily')
    for text, (name, least, most) in zip(fields, FIELDS, strict=True):
        if not all(_readable(part, least, most) for part in text.split(",")):
            raise ValueError(f"{text!r} is no {name} of a schedule ({least} to {most})")
    return schedule


def _readable(part: str, least: int, most: int) -> bool:
    match = _PART.fullmatch(part)
    if match is None:
        return False
    first, last, step = (None if group is None else int(group) for group in match.groups())
    if step is not None and (step == 0 or (first is not None and last is None)):
        return False
    return all(least <= value <= most for value in (first, last) if value is not None) and (
        last is None or first is None or first <= last
    )


def check_timezone(name: str) -> str:
    """Returns the name of a time zone.

    Raises:
        ValueError: this machine knows no such zone.
    """
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"there is no time zone {name!r}") from error
    return name
