"""When an instance that ended by itself is started again.

At once after the first crash; then after 1 s, doubling to a minute. What counts are the crashes in a row of the process
of a release: those of the last ten minutes, and since an instance of it was last up for a minute (the view
`crashes_in_a_row`), so that a pause forgets what a stable minute has disproved. An instance that does not pass its
health check counts as a crash.
"""

from __future__ import annotations

from typing import Final

FIRST_S: Final = 1.0
MOST_S: Final = 60.0
LOOP: Final = 3  # crashes in a row from which on a process is said to loop


def pause_s(crashes: int) -> float:
    """How long after the last crash the next start is due, in seconds."""
    if crashes < 2:
        return 0.0
    return min(FIRST_S * 2.0 ** min(crashes - 2, 16), MOST_S)


def is_looping(crashes: int) -> bool:
    """Whether a process keeps crashing: shown to its owner, and requests are not made to wait for it."""
    return crashes >= LOOP
