"""What is in a built tree, times left out: two trees with the same digest are the same app."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from orchestrator.build.refusals import readable
from orchestrator.build.slug import entry, walk


def content_digest(tree: Path) -> str:
    """The sha256 over names, kinds, modes, links and contents, of what a slug would have.

    Raises:
        ShipoffError: ARTIFACT_REFUSED, ARTIFACT_TOO_LARGE.
    """
    found = hashlib.sha256()
    with readable():
        for path in walk(tree):
            info = entry(tree, path, 0)
            said = (info.name, info.type, info.mode, info.size, info.linkname)
            found.update(repr(said).encode("utf-8", "surrogateescape"))
            if info.isreg():
                _add(found, path)
    return found.hexdigest()


def _add(found: hashlib._Hash, path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as file:
        while chunk := file.read(1 << 20):
            found.update(chunk)
