"""Whether the schedule and the time zone of a cron job can be read, by what reads them later (orchestrator/cron)."""

from __future__ import annotations

import zoneinfo
from datetime import UTC, datetime

from cronsim import CronSim, CronSimError

from orchestrator.cron.schedule import NAMES


def check_schedule(schedule: str) -> str:
    """Returns the schedule.

    Raises:
        ValueError: it can't be read, or its time never comes.
    """
    try:
        next(CronSim(NAMES.get(schedule, schedule), datetime.now(UTC)))
    except CronSimError as error:
        hint = f'five fields (minute hour day month weekday), such as "0 3 * * *", or {", ".join(sorted(NAMES))}'
        raise ValueError(f"{schedule!r} is no schedule ({error}): {hint}") from error
    except StopIteration:
        raise ValueError(f"the time of schedule {schedule!r} never comes") from None
    return schedule


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
