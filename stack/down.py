"""Stops a running stack from outside."""

from __future__ import annotations

import os
import select
import signal

from kernel.errors import define
from stack.state import State

DOWN_SLOW = define("DOWN_SLOW", retryable=True, hint="ask again, or look into logs/up.log of the state directory")


def stop_stack(state: State, within_s: float) -> bool:
    """Asks the process that holds a state directory's lock to stop, and waits until it is gone.

    Args:
        state: the directory.
        within_s: seconds to wait.

    Returns:
        Whether a stack ran.

    Raises:
        ShipoffError: DOWN_SLOW.
    """
    pid = state.owner()
    if pid is None:
        return False
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return False
    try:
        if state.owner() != pid:  # it ended, and its pid may be somebody else's by now
            return False
        signal.pidfd_send_signal(descriptor, signal.SIGTERM)
        if not select.select([descriptor], [], [], within_s)[0]:
            raise DOWN_SLOW(f"the stack in {state.directory} (pid {pid}) did not stop within {within_s:.0f} s")
    finally:
        os.close(descriptor)
    return True
