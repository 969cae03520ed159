"""A stored answer as a file: a fixed start, its description as JSON, its body; whatever does not check is a miss.

A large body stands in a file of its own, which the description names, so that a description is replaced without it.
"""

from __future__ import annotations

import struct
import zlib
from typing import Any, Final

import orjson

from router.core.caching.stored import Stored

_START: Final = struct.Struct("<8sIIQI")  # magic, length and checksum of the description, length and checksum of a body
_MAGIC: Final = b"shipoff1"
MOST_DESCRIPTION: Final = 262_144
_BYTES: Final = ("key", "lines", "etag", "modified")
_PLAIN: Final = (
    "status", "size", "born", "date", "lifetime", "no_cache", "never_stale", "bound", "for_authorized",
    "stale_while_revalidate", "stale_if_error", "release", "body_file",
)  # fmt: skip
_LISTS: Final = ("groups", "vary")


def pack(stored: Stored) -> bytes:
    """The file of a stored answer; its body is in it unless it has a file of its own."""
    described: dict[str, Any] = {name: getattr(stored, name) for name in _PLAIN}
    described |= {name: getattr(stored, name).decode("latin-1") for name in _BYTES}
    described |= {name: [item.decode("latin-1") for item in getattr(stored, name)] for name in _LISTS}
    text = orjson.dumps(described)
    body = b"" if stored.body_file else stored.body or b""
    return _START.pack(_MAGIC, len(text), zlib.crc32(text), len(body), zlib.crc32(body)) + text + body


def unpack(data: bytes, with_body: bool = True) -> Stored | None:
    """The stored answer in a file; None when it is none, or not whole.

    Args:
        with_body: the data goes on to the end of the file; otherwise it may end behind the description.
    """
    if len(data) < _START.size:
        return None
    magic, length, checksum, size, body_checksum = _START.unpack_from(data)
    end = _START.size + length
    text = data[_START.size : end]
    if magic != _MAGIC or len(text) != length or zlib.crc32(text) != checksum:
        return None
    stored = _read(text)
    if stored is not None and with_body and not stored.body_file:
        stored.body = data[end:]
        if len(stored.body) != size or size != stored.size or zlib.crc32(stored.body) != body_checksum:
            return None
    return stored


def _read(text: bytes) -> Stored | None:
    try:
        described = orjson.loads(text)
        stored = Stored.__new__(Stored)
        for name in _PLAIN:
            setattr(stored, name, described[name])
        for name in _BYTES:
            setattr(stored, name, described[name].encode("latin-1"))
        for name in _LISTS:
            setattr(stored, name, tuple(item.encode("latin-1") for item in described[name]))
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
        return None  # of another version of this program
    stored.body, stored.path, stored.stamp, stored.touched = None, "", None, 0.0
    return stored
