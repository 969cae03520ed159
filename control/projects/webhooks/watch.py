"""Which paths of a repository a project watches. Pure.

A pattern is a path from the repository's root; `*`, `?` and `[…]` stand for characters within a name, `**` for any
number of folders, and a folder stands for all that is in it. A pattern that begins with `!` takes out again what those
before it let in. Matching takes time in proportion to pattern and path, whatever a tenant writes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase


def touches(paths: Iterable[str] | None, patterns: Sequence[str]) -> bool:
    """Whether a push is of interest.

    Args:
        paths: what it touched; None when that is not known, which counts as everything.
        patterns: of the link; none watches everything.
    """
    if paths is None or not patterns:
        return True
    if all(pattern.startswith("!") for pattern in patterns):
        patterns = ("**", *patterns)
    split = [(not one.startswith("!"), _parts(one.removeprefix("!"))) for one in patterns]
    return any(_watched(path.split("/"), split) for path in paths)


def _parts(pattern: str) -> list[str]:
    parts = [part for part in pattern.strip("/").split("/") if part]
    return [part for index, part in enumerate(parts) if part != "**" or index == 0 or parts[index - 1] != "**"]


def _watched(path: list[str], patterns: list[tuple[bool, list[str]]]) -> bool:
    return next((lets_in for lets_in, parts in reversed(patterns) if _matches(path, parts)), False)


def _matches(path: list[str], pattern: list[str]) -> bool:
    """Goes through the pattern with the set of places in the path that it may have come to."""
    places = {0}
    for part in pattern:
        if part == "**":
            places = set(range(min(places), len(path) + 1))
        else:
            places = {place + 1 for place in places if place < len(path) and fnmatchcase(path[place], part)}
        if not places:
            return False
    return True  # what is left of the path lies in a folder that the pattern names
