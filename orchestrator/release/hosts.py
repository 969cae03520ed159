"""The name under which an environment is served: the project's own for production, `<project>--<branch>` for a preview.

The whole is one DNS label (RFC 1123: 63 characters, lower-case letters, digits, hyphens). A branch whose name had to be
changed for that gets six digits of its hash, so that two branches never share a host: `fix/a` and `fix-a` differ, and a
branch that happens to be called like another's label keeps its own name. Project names have no double hyphen, so no
preview is called like a project.
"""

from __future__ import annotations

import hashlib
import re
from typing import Final

PREVIEW: Final = "preview/"
LABEL: Final = 63
HASH: Final = 6
_OTHER: Final = re.compile(r"[^a-z0-9]+")


def label_of(project: str, environment: str) -> str:
    """The label of an environment's host.

    Args:
        project: its name, at most 40 characters.
        environment: "production" or "preview/<branch>".
    """
    if not environment.startswith(PREVIEW):
        return project
    branch = environment.removeprefix(PREVIEW)
    room = LABEL - len(project) - 2
    slug = _OTHER.sub("-", branch.lower()).strip("-")
    if slug != branch or len(slug) > room or _is_hashed(slug):
        slug = f"{slug[: room - HASH - 1].strip('-')}-{_hash(branch)}".lstrip("-")
    return f"{project}--{slug}"


def _hash(branch: str) -> str:
    return hashlib.sha256(branch.encode()).hexdigest()[:HASH]


def _is_hashed(slug: str) -> bool:
    """Whether a branch's own name looks like a label that was made; it is then made into another one."""
    return re.fullmatch(rf"(?:.*-)?[0-9a-f]{{{HASH}}}", slug) is not None
