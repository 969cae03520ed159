"""What the router's processes take of the machine, read from /proc (proc(5)) by the supervisor: it asks no worker."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final, NamedTuple

_TICKS: Final = os.sysconf("SC_CLK_TCK")
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")


class Usage(NamedTuple):
    """One process.

    Attributes:
        name: "supervisor", or the number of a worker's slot.
        cpu_s: seconds; of a slot's earlier processes too, so that it never goes backwards.
        resident: bytes.
    """

    name: str
    cpu_s: float
    resident: int
    descriptors: int


def usage(name: str, pid: int) -> Usage | None:
    """What a process takes now; None when it has ended."""
    directory = Path(f"/proc/{pid}")
    try:
        fields = (directory / "stat").read_text().rpartition(")")[2].split()
        resident = int((directory / "statm").read_text().split()[1]) * _PAGE
        descriptors = len(os.listdir(directory / "fd"))  # noqa: PTH208 - ten thousand Paths would be made for a count
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return None
    return Usage(name, (int(fields[11]) + int(fields[12])) / _TICKS, resident, descriptors)
