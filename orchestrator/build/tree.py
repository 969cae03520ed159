"""What detection may see of a source tree: names, and the contents of small files. Never followed links."""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

MAX_FILES: Final = 20_000
MAX_DEPTH: Final = 6
MAX_READ: Final = 1 << 20
_SKIPPED: Final = frozenset({".git", "node_modules", ".venv", "venv", "__pycache__", "vendor", ".next", "dist"})


@dataclass(frozen=True, slots=True)
class SourceTree:
    """The app's directory: its files as `/`-separated relative paths, and how to read one."""

    files: frozenset[str]
    read: Callable[[str], str]

    def has(self, *names: str) -> bool:
        """Whether any of these files is there."""
        return any(name in self.files for name in names)

    def text(self, name: str) -> str:
        """A file's text, "" when it is not there."""
        return self.read(name) if name in self.files else ""

    def json(self, name: str) -> dict[str, Any]:
        """A JSON file's object, {} when it is missing or malformed: the tool that owns it says so better."""
        try:
            value = json.loads(self.text(name) or "{}")
        except ValueError:
            return {}
        return value if isinstance(value, dict) else {}

    def toml(self, name: str) -> dict[str, Any]:
        """A TOML file's table, {} when it is missing or malformed."""
        try:
            return tomllib.loads(self.text(name))
        except tomllib.TOMLDecodeError:
            return {}

    def top(self) -> list[str]:
        """The names at the top, directories with a slash, for error messages."""
        return sorted({name.partition("/")[0] + ("/" if "/" in name else "") for name in self.files})

    @classmethod
    def of_texts(cls, texts: Mapping[str, str]) -> SourceTree:
        """A tree that exists in memory only."""
        return cls(frozenset(texts), texts.__getitem__)

    @classmethod
    def at(cls, root: Path) -> SourceTree:
        """The tree at a directory, as far as the bounds of this module go."""
        found: set[str] = set()
        pending = [("", 0)]
        while pending and len(found) < MAX_FILES:
            directory, depth = pending.pop(0)
            with os.scandir(root / directory) as entries:
                for entry in entries:
                    name = f"{directory}{entry.name}"
                    if entry.is_file(follow_symlinks=False):
                        found.add(name)
                    elif entry.is_dir(follow_symlinks=False) and entry.name not in _SKIPPED and depth < MAX_DEPTH:
                        pending.append((name + "/", depth + 1))
        return cls(frozenset(found), lambda name: _read(root / name))


def _read(path: Path) -> str:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as file:
        return file.read(MAX_READ).decode("utf-8", "replace")
