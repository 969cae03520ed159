"""What process trees use: from their control groups where there are some, else from /proc."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from orchestrator.drivers.base import Usage

TICKS: Final = os.sysconf("SC_CLK_TCK")
PAGE: Final = os.sysconf("SC_PAGE_SIZE")
PROC: Final = Path("/proc")


@dataclass(slots=True)
class _Process:
    """One line of proc(5), `stat`: what it and the children that it waited for used."""

    parent: int
    cpu_s: float
    memory_bytes: int
    children: list[int] = field(default_factory=list)


class Processes:
    """All processes of this machine at one moment."""

    def __init__(self, proc: Path = PROC) -> None:
        self._found = {
            int(entry.name): one for entry in proc.iterdir() if entry.name.isdigit() and (one := _read(entry))
        }
        for pid, one in self._found.items():
            if one.parent in self._found:
                self._found[one.parent].children.append(pid)

    def usage(self, root: int, groups: Iterable[str] = ()) -> Usage:
        """What a process and all below it use.

        Args:
            root: the first process of a sandbox; those whose parents died are its children.
            groups: directories of the control groups that hold exactly this tree.
        """
        tree = self._tree(root)
        cpu = sum(one.cpu_s for one in tree)
        memory = sum(one.memory_bytes for one in tree)  # shared pages count in each process
        grouped = [Path(group) for group in groups]
        return Usage(_first(grouped, _group_cpu, cpu), int(_first(grouped, _group_memory, memory)), len(tree))

    def _tree(self, root: int) -> Sequence[_Process]:
        found, pids = [], [root]
        while pids:
            one = self._found.get(pids.pop())
            if one is not None:
                found.append(one)
                pids += one.children
        return found


def _read(entry: Path) -> _Process | None:
    try:
        stat = (entry / "stat").read_text()
    except OSError:
        return None  # it has just ended
    fields = stat[stat.rindex(")") + 2 :].split()
    ticks = sum(int(value) for value in fields[11:15])  # utime, stime, cutime, cstime
    return _Process(int(fields[1]), ticks / TICKS, int(fields[21]) * PAGE)


def _first(groups: list[Path], read: Callable[[Path], float | None], otherwise: float) -> float:
    for group in groups:
        if (value := read(group)) is not None:
            return value
    return otherwise


def _group_memory(group: Path) -> int | None:
    """Version 2 or 1, without the page cache that would be dropped first."""
    for current, inactive in (("memory.current", "inactive_file"), ("memory.usage_in_bytes", "total_inactive_file")):
        used = _number(group / current)
        if used is not None:
            return max(0, used - _table(group / "memory.stat").get(inactive, 0))
    return None


def _group_cpu(group: Path) -> float | None:
    used = _table(group / "cpu.stat").get("usage_usec")
    if used is not None:
        return used / 1e6
    nanoseconds = _number(group / "cpuacct.usage")
    return None if nanoseconds is None else nanoseconds / 1e9


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None


def _table(path: Path) -> Mapping[str, int]:
    try:
        rows = [line.split() for line in path.read_text().splitlines()]
    except OSError:
        return {}
    return {row[0]: int(row[1]) for row in rows if len(row) == 2 and row[1].isdigit()}
