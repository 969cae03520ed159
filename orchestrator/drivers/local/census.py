"""What a running build takes of this machine, found by looking: its files, and its memory where no group counts it."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Taken:
    """Bytes on disk, and files and directories."""

    bytes: int = 0
    entries: int = 0


def taken(*trees: Path, enough: int = 1 << 62) -> Taken:
    """What trees take together; what vanishes meanwhile does not count, and counting stops at `enough` entries."""
    total, entries, pending = 0, 0, [str(tree) for tree in trees]
    while pending and entries < enough:
        with contextlib.suppress(OSError), os.scandir(pending.pop()) as found:
            for entry in found:
                entries += 1
                with contextlib.suppress(OSError):
                    if entry.is_dir(follow_symlinks=False):
                        pending.append(entry.path)
                    else:
                        total += entry.stat(follow_symlinks=False).st_blocks * 512
    return Taken(total, entries)


def free(path: Path) -> Taken:
    """What is left of the file system that a path is on."""
    found = os.statvfs(path)
    # Some file systems have no fixed number of inodes and say 0.
    return Taken(found.f_bavail * found.f_frsize, found.f_favail if found.f_files else 1 << 62)


def memory_bytes(pid: int) -> int:
    """What a process and all its descendants hold for themselves (anonymous and shared memory, no files)."""
    total, pending = 0, [pid]
    while pending:
        process = pending.pop()
        with contextlib.suppress(OSError, ValueError):
            total += _own_memory(Path(f"/proc/{process}/status").read_text())
            for task in Path(f"/proc/{process}/task").iterdir():
                pending += [int(child) for child in (task / "children").read_text().split()]
    return total


def _own_memory(status: str) -> int:
    wanted = ("RssAnon:", "RssShmem:")
    return sum(int(line.split()[1]) << 10 for line in status.splitlines() if line.startswith(wanted))
