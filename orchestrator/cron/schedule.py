"""When a cron job is due. Reading schedules is cronsim's, which does as Debian's cron does."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from orchestrator.build.running import Cron

NAMES: Final = {"@hourly": "0 * * * *", "@daily": "0 0 * * *", "@weekly": "0 0 * * 0", "@monthly": "0 0 1 * *"}


def next_time(cron: Cron, after: datetime) -> datetime | None:
    """The first time after a moment, in UTC; None for a day that never comes, such as February 30."""
    return _tick(cron, after, reverse=False)


def last_time(cron: Cron, now: datetime) -> datetime | None:
    """The last time that is not after a moment, in UTC."""
    return _tick(cron, now + timedelta(seconds=1), reverse=True)


def _tick(cron: Cron, at: datetime, *, reverse: bool) -> datetime | None:
    zone = UTC if cron.timezone == "UTC" else ZoneInfo(cron.timezone)
    try:
        found: datetime = next(CronSim(NAMES.get(cron.schedule, cron.schedule), at.astimezone(zone), reverse))
    except (CronSimError, StopIteration):
        return None
    return found.astimezone(UTC)
