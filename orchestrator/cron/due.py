"""What is to be done about a cron job now."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from orchestrator.build.running import Cron
from orchestrator.cron.schedule import last_time

MADE_UP: Final = timedelta(hours=1)  # how late a run may begin that nobody was there for


@dataclass(frozen=True, slots=True)
class Due:
    """A time of a job that has come; `missed` when it is too late to run it."""

    at: datetime
    missed: bool


def due(cron: Cron, now: datetime, since: datetime) -> Due | None:
    """The last time of a job that has come and that nothing was done about.

    Args:
        cron: the job.
        now: by the database's clock.
        since: times up to this one are settled: the last run's, or when the release was wanted.
    """
    at = last_time(cron, now)
    if at is None or at <= since:
        return None
    return Due(at, now - at > MADE_UP)
