"""Which uid a project's builds and instances have: its own where the platform is root, the platform's elsewhere."""

from __future__ import annotations

import fcntl
import json
import os
from pathlib import Path
from typing import Final

FIRST_UID: Final = 200_000
LAST_UID: Final = 999_999


class Accounts:
    """Gives every project a uid of its own, for ever: files that it left must never become another project's.

    Args:
        path: the JSON file that remembers; guarded by a lock beside it, because two platforms may share a machine
            but never a work directory.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._uids: dict[str, int] = {}

    def uid_of(self, project_id: str) -> int | None:
        """The project's uid; None when the platform is not root and everything runs as itself in a user namespace."""
        if os.geteuid() != 0:
            return None
        if project_id not in self._uids:
            self._uids = self._take(project_id)
        return self._uids[project_id]

    def _take(self, project_id: str) -> dict[str, int]:
        with self._path.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            known: dict[str, int] = json.loads(self._path.read_text()) if self._path.exists() else {}
            if project_id not in known:
                known[project_id] = max(known.values(), default=_first(self._path)) + 1
                if known[project_id] > LAST_UID:
                    raise OverflowError("no uid is left for another project")
                temporary = self._path.with_suffix(".tmp")
                temporary.write_text(json.dumps(known))
                temporary.replace(self._path)
            return known


def _first(path: Path) -> int:
    """Where this platform's uids begin: platforms on one machine should not share them, because limits are per uid."""
    blocks = (LAST_UID - FIRST_UID) // 2000
    return FIRST_UID + 2000 * (hash_of(str(path.resolve())) % blocks)


def hash_of(text: str) -> int:
    """A stable number for a text."""
    return int.from_bytes(text.encode()[-64:], "big") % 1_000_003
