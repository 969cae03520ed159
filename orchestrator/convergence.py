"""What is to be done next so that a process runs as it should: a pure decision from what was seen.

One step at a time: whoever carries it out looks again, so nothing here has to foresee how a step ends.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from orchestrator.restarts import pause_s


@dataclass(frozen=True, slots=True)
class Ready:
    """An instance that passed its gate and runs; `ill` when it answers nothing any more (liveness.py)."""

    instance_id: str
    started_at: datetime
    ill: bool = False


@dataclass(frozen=True, slots=True)
class Seen:
    """One process of a current release, as a look found it.

    Attributes:
        wanted: instances that are to run.
        ready: those that run.
        crashes: in a row, see restarts.py.
        crashed_at: when the last of them was.
        fresh_since: instances of before are to be replaced.
    """

    wanted: int
    ready: Sequence[Ready] = ()
    crashes: int = 0
    crashed_at: datetime | None = None
    fresh_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Start:
    """Start so many."""

    count: int


@dataclass(frozen=True, slots=True)
class Stop:
    """Take these out of service and end them."""

    instance_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Replace:
    """Start one, and when it serves, take this one out of service."""

    instance_id: str


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing before so many seconds have passed."""

    seconds: float


Step = Start | Stop | Replace | Wait


def next_step(seen: Seen, now: datetime) -> Step | None:
    """The next step, or None when all is as it should be.

    Args:
        seen: by the database's clock, like `now`.
        now: of the look.
    """
    missing = seen.wanted - len(seen.ready)
    if missing < 0:
        # The youngest go: what is warm stays. Those that are to be replaced anyway go before them.
        order = sorted(seen.ready, key=lambda one: (not _is_old(one, seen), -one.started_at.timestamp()))
        return Stop(tuple(one.instance_id for one in order[: -seen.wanted or None]))
    old = [one.instance_id for one in seen.ready if _is_old(one, seen)]
    if not missing and not old:
        return None
    if (left := _pause_left(seen, now)) > 0:
        return Wait(left)
    return Start(missing) if missing else Replace(old[0])


def _is_old(one: Ready, seen: Seen) -> bool:
    return one.ill or (seen.fresh_since is not None and one.started_at < seen.fresh_since)


def _pause_left(seen: Seen, now: datetime) -> float:
    if seen.crashed_at is None:
        return 0.0
    return (seen.crashed_at + timedelta(seconds=pause_s(seen.crashes)) - now).total_seconds()
