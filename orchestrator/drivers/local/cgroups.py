"""Control groups, version 2 or 1, where this machine lets us write them; without them everything still works.

What they add to rlimits: memory and processor time of a whole tree, and a count of all its processes.

Used by programs that run without site-packages: standard library only.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

ROOT: Final = Path("/sys/fs/cgroup")
_CONTROLLERS: Final = ("memory", "pids", "cpu")


class Cgroups:
    """Makes groups `<parent>/<name>` in every hierarchy that can be written.

    Args:
        parent: one directory name per platform, so that two platforms on a machine do not meet.
        root: where cgroupfs is mounted.
    """

    def __init__(self, parent: str, root: Path = ROOT) -> None:
        self._parents = _usable_parents(root, parent)

    @property
    def available(self) -> bool:
        """Whether limits on whole process trees hold here."""
        return bool(self._parents)

    @property
    def counts_processes(self) -> bool:
        """Whether a group bounds the processes in it."""
        return any(
            parent.parent.name == "pids" or "pids" in _read(parent / "cgroup.subtree_control")
            for parent in self._parents
        )

    def make(self, name: str, *, memory_bytes: int, processes: int, cpus: float, weight: int = 100) -> list[str]:
        """Makes a group with its limits, and its share of the processors (100 is usual); returns its directories."""
        values = {
            "memory.max": str(memory_bytes),
            "memory.swap.max": "0",
            "memory.oom.group": "0",
            "memory.limit_in_bytes": str(memory_bytes),
            "memory.memsw.limit_in_bytes": str(memory_bytes),
            "pids.max": str(processes),
            "cpu.weight": str(weight),
            "cpu.shares": str(max(2, weight * 1024 // 100)),
        }
        if cpus:
            values |= {"cpu.max": f"{int(cpus * 100_000)} 100000", "cpu.cfs_quota_us": str(int(cpus * 100_000))}
        made = []
        for parent in self._parents:
            group = parent / name
            try:
                group.mkdir(exist_ok=True)
            except OSError:
                continue
            for file, value in values.items():
                _try_write(group / file, value)
            made.append(str(group))
        return made

    def names(self) -> set[str]:
        """The groups that exist."""
        return {
            group.name for parent in self._parents if parent.is_dir() for group in parent.iterdir() if group.is_dir()
        }

    def forget(self) -> None:
        """Removes the parent groups unless something still runs in them."""
        for parent in self._parents:
            with contextlib.suppress(OSError):
                parent.rmdir()

    def directories(self, name: str) -> list[str]:
        """Where a group of this name is, as far as it exists."""
        return [str(parent / name) for parent in self._parents if (parent / name).is_dir()]


def join(directories: Sequence[str]) -> None:
    """Moves this process into the groups; one that is gone or full of rules is skipped."""
    for directory in directories:
        _try_write(Path(directory) / "cgroup.procs", "0")


def oom_kills(directories: Sequence[str]) -> int:
    """How many processes of the group its memory limit has killed."""
    for directory in directories:
        for name in ("memory.events", "memory.oom_control"):
            try:
                text = Path(directory, name).read_text()
            except OSError:
                continue
            for line in text.splitlines():
                key, _, value = line.partition(" ")
                if key == "oom_kill":
                    return int(value)
    return 0


def kill_and_remove(directories: Sequence[str], within_s: float = 5.0) -> bool:
    """Kills what is left in the groups and removes them; False when something would not die in time.

    An exited process may hold its group for a moment longer (EBUSY), hence the retries.
    """
    deadline = time.monotonic() + within_s
    left = [Path(directory) for directory in directories]
    while left:
        left = [group for group in left if not _removed(group)]
        if left and time.monotonic() > deadline:
            return False
        if left:
            time.sleep(0.01)
    return True


def _removed(group: Path) -> bool:
    try:
        group.rmdir()
    except FileNotFoundError:
        return True
    except OSError:
        _kill_members(group)
        return False
    return True


def _kill_members(group: Path) -> None:
    try:
        members = [int(line) for line in (group / "cgroup.procs").read_text().split()]
    except OSError:
        return
    for pid in members:
        try:
            os.kill(pid, 9)
        except OSError:  # it has gone, which is what we want
            continue


def _usable_parents(root: Path, parent: str) -> list[Path]:
    if (root / "cgroup.controllers").exists():
        return _usable_v2(root, parent)
    return [root / name / parent for name in _CONTROLLERS if _can_make(root / name / parent)]


def _usable_v2(root: Path, parent: str) -> list[Path]:
    path = root / parent
    if not _can_make(path):
        return []
    for level in (root, path):
        for name in _CONTROLLERS:
            _try_write(level / "cgroup.subtree_control", f"+{name}")
    return [path] if "memory" in _read(path / "cgroup.subtree_control") else []


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


def _can_make(path: Path) -> bool:
    try:
        path.mkdir(exist_ok=True)
    except OSError:
        return False
    return os.access(path, os.W_OK)


def _try_write(path: Path, value: str) -> bool:
    try:
        # No "w": a file that does not exist must not be made (cgroupfs refuses, a test's directory would not).
        descriptor = os.open(path, os.O_WRONLY)
    except OSError:
        return False
    try:
        os.write(descriptor, value.encode())
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return True
