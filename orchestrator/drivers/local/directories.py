"""The directories of instances, which go all or nothing.

A directory that is not wanted any more is moved to `<work_dir>/discarded` by one rename before its files are deleted:
who dies in the middle leaves nothing among the instances that misses a part, and the next sweep goes on.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import shutil
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from orchestrator.drivers.local.keeper import write_json
from orchestrator.drivers.local.launch import start_time

log = logging.getLogger(__name__)
ABANDONED_S: Final = 10.0  # a keeper whose starter has died comes up by then, or never


class Directories:
    """One directory per instance.

    Args:
        root: of all of them.
        discarded: on the same file system.
    """

    def __init__(self, root: Path, discarded: Path) -> None:
        self.root, self._discarded = root, discarded

    def make(self, instance_id: str) -> Path:
        """The directory of an instance that is about to be started, by this process."""
        directory = self.root / instance_id
        directory.mkdir(mode=0o700)
        write_json(directory / "starter.json", {"pid": os.getpid(), "started": start_time(os.getpid())})
        return directory

    async def delete(self, directory: Path) -> None:
        """Removes an instance's directory."""
        await asyncio.to_thread(self._delete, directory)

    async def sweep(self, unborn: Iterable[Path]) -> None:
        """Deletes what somebody died over: deletions that were not finished, and starts that never came to a keeper.

        Args:
            unborn: directories that have no keeper yet; those of late, and those whose starter lives, may get one.
        """
        for directory in unborn:
            if _age_s(directory) > ABANDONED_S and not _has_starter(directory):
                log.warning("instance %s was never started: removed", directory.name)
                await self.delete(directory)
        for directory in list(self._discarded.iterdir()):
            await asyncio.to_thread(_erase, directory)

    def _delete(self, directory: Path) -> None:
        discarded = self._discarded / directory.name
        with contextlib.suppress(FileNotFoundError):  # somebody else did
            directory.rename(discarded)
        _erase(discarded)


def _age_s(directory: Path) -> float:
    try:
        return time.time() - directory.stat().st_mtime
    except FileNotFoundError:  # deleted a moment ago
        return 0.0


def _has_starter(directory: Path) -> bool:
    try:
        starter = json.loads((directory / "starter.json").read_text())
        return bool(start_time(starter["pid"]) == starter["started"])
    except (OSError, ValueError, KeyError):
        return False


def _erase(directory: Path) -> None:
    """Deletes a tree; overlayfs leaves a directory inside that its owner may not enter."""
    inner = directory / "work" / "work"
    with contextlib.suppress(OSError):
        inner.chmod(0o700)
    shutil.rmtree(directory, ignore_errors=True)
