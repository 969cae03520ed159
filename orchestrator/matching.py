"""Which route answers a host and path: the rule of the routers' table (ARCHITECTURE.md), over rows of the database."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import unquote

Json = dict[str, Any]


def candidates(host: str) -> list[str]:
    """The hosts of routes that can answer a host, the best first: itself, wildcards from the longest, any."""
    labels = plain(host).split(".")
    return [".".join(labels), *(".".join(["*", *labels[at:]]) for at in range(1, len(labels))), "*"]


def plain(host: str) -> str:
    """A host as records have it: lower case, without port and root dot."""
    name = host.strip().lower()
    before, colon, port = name.rpartition(":")
    if colon and port.isdigit() and (not name.startswith("[") or before.endswith("]")):
        name = before
    return name.removesuffix(".")


def best(records: Iterable[Json], host: str, path: str) -> Json | None:
    """The record that answers; None when none does.

    Args:
        records: with `host` and `path`; others than the candidates' are passed over.
        path: as sent, without query.
    """
    wanted = _segments(path)
    found = list(records)
    for name in candidates(host):
        fitting = [one for one in found if one["host"] == name and _is_above(_segments(one["path"]), wanted)]
        if fitting:
            return max(fitting, key=lambda one: len(_segments(one["path"])))
    return None


def _segments(path: str) -> list[str]:
    """A path by its meaning: decoded once, without dot segments and doubled slashes."""
    segments: list[str] = []
    for part in unquote(path).split("/"):
        if part == "..":
            del segments[-1:]
        elif part not in ("", "."):
            segments.append(part)
    return segments


def _is_above(prefix: Sequence[str], path: Sequence[str]) -> bool:
    return list(path[: len(prefix)]) == list(prefix)
