"""What a build's downloads depend on, as one text: the lock files, the install command, the runtime, the processor."""

from __future__ import annotations

import hashlib
import os
import platform
import re
from pathlib import Path
from typing import Final

from orchestrator.build.plan import BuildPlan

LOCKS: Final = (
    "package-lock.json", "npm-shrinkwrap.json", "pnpm-lock.yaml", "yarn.lock", "bun.lock", "uv.lock", "poetry.lock",
    "Pipfile.lock", "composer.lock", "Gemfile.lock", "package.json", "pyproject.toml", "composer.json", "setup.py",
)  # fmt: skip
_REQUIREMENTS: Final = re.compile(r"requirements[\w.-]*\.(txt|in)")
MOST_BYTES: Final = 32 << 20


def cache_key(tree: Path, plan: BuildPlan) -> str:
    """The key, 32 hexadecimal digits; "" when the plan installs nothing and so downloads nothing that is worth keeping.

    Args:
        tree: the source; lock files may lie at its root (workspaces) and in the plan's root_dir.
        plan: of the build.
    """
    if not plan.install:
        return ""
    found = hashlib.sha256(
        repr((plan.runtime, platform.machine(), platform.python_version_tuple()[:2], plan.install)).encode()
    )
    for folder in sorted({tree, tree / plan.root_dir}):
        for path in sorted(folder.iterdir()):
            if path.name in LOCKS or _REQUIREMENTS.fullmatch(path.name):
                found.update(f"\0{path.relative_to(tree)}\0".encode())
                found.update(_content(path))
    return found.hexdigest()[:32]


def _content(path: Path) -> bytes:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            return file.read(MOST_BYTES)
    except OSError:  # a link, or a directory of that name: not what the tool reads as a lock file
        return b""
