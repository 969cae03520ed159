"""A failure of a user's process, with what its owner needs to see."""

from __future__ import annotations

from collections.abc import Sequence

from kernel.errors import ShipoffError


class ProcessFailedError(Exception):
    """A build step or an app failed.

    Attributes:
        error: code, detail and hint for the owner.
        exit_status: of the process; negative is a signal, 0 when it had not ended.
        last_lines: the end of its output.
    """

    def __init__(self, error: ShipoffError, exit_status: int, last_lines: Sequence[str]) -> None:
        super().__init__(str(error))
        self.error, self.exit_status, self.last_lines = error, exit_status, last_lines
