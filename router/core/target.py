"""Request targets: what a path means once its escapes and dot segments are taken away.

The raw target is what the upstream gets; the meaning is only what route prefixes and manifests are matched against, so
`/%61dmin`, `/x/../admin` and `//admin` all mean `/admin` and no route's rules can be walked around.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import unquote_to_bytes

_ODD: Final = (b"%", b"/.", b"//", b"\\")


def path_of(target: bytes) -> bytes:
    """The meaning of a target's path: no query, decoded, dots and doubled slashes resolved (RFC 3986, 5.2.4)."""
    path = target.partition(b"?")[0]
    for odd in _ODD:
        if odd in path:
            return _resolve(unquote_to_bytes(path))
    return path


def _resolve(path: bytes) -> bytes:
    kept: list[bytes] = []
    segments = path.split(b"/")
    for segment in segments:
        if segment == b"..":
            if kept:
                kept.pop()
        elif segment not in (b"", b"."):
            kept.append(segment)
    ends_open = segments[-1] in (b"", b".", b"..") and kept
    return b"/" + b"/".join(kept) + (b"/" if ends_open else b"")
