"""Which form of a file a request gets: content-coding, conditions and ranges (RFC 9110, sections 12.5.3, 13 and 14)."""

from __future__ import annotations

import re
from typing import Final

from router.core.errors import RANGE_UNSATISFIABLE, Refused
from router.core.manifest import Blob, File

_BEST_FIRST: Final = ("br", "zstd", "gzip")
_RANGE: Final = re.compile(rb"bytes[ \t]*=[ \t]*([0-9]{0,18})-([0-9]{0,18})[ \t]*").fullmatch
_TAG: Final = re.compile(rb'(?:W/)?("[\x21\x23-\x7e\x80-\xff]*")').findall


def coding_of(file: File, accept_encoding: bytes) -> tuple[str, Blob]:
    """The best precomputed coding that the client takes; ("", the file itself) otherwise."""
    if not file.encodings or not accept_encoding:
        return "", file.blob
    weights = dict(map(_weight, accept_encoding.lower().split(b",")))
    for name in _BEST_FIRST:
        if name in file.encodings and weights.get(name.encode(), weights.get(b"*", 0.0)) > 0:
            return name, file.encodings[name]
    return "", file.blob


def _weight(part: bytes) -> tuple[bytes, float]:
    name, _, parameter = part.partition(b";")
    key, _, value = parameter.strip().partition(b"=")
    try:
        return name.strip(), float(value) if key.strip() == b"q" else 1.0
    except ValueError:
        return name.strip(), 0.0


def etag(file: File, coding: str) -> bytes:
    """The strong entity tag of one form of a file."""
    return f'"{file.digest[:32]}{"-" + coding if coding else ""}"'.encode()


def is_unchanged(if_none_match: bytes, tag: bytes) -> bool:
    """Whether the client's copy is current (weak comparison, section 13.1.2)."""
    return if_none_match.strip() == b"*" or tag in _TAG(if_none_match)


def range_of(value: bytes, if_range: bytes, tag: bytes, size: int) -> tuple[int, int] | None:
    """The asked-for part as (first, last), or None for the whole.

    Several ranges, another unit, or a validator that does not match mean the whole, as section 14.2 allows.

    Raises:
        Refused: RANGE_UNSATISFIABLE.
    """
    match = _RANGE(value)
    if match is None or not (match[1] or match[2]) or (if_range and if_range != tag):
        return None
    if not match[1]:
        count = int(match[2])
        first, last = max(0, size - count), size - 1
        if not count:
            first = size
    else:
        first = int(match[1])
        last = min(int(match[2]), size - 1) if match[2] else size - 1
        if match[2] and int(match[2]) < first:
            return None
    if first >= size:
        raise Refused(RANGE_UNSATISFIABLE, f"the file has {size} bytes", b"Content-Range: bytes */%d\r\n" % size)
    return first, last
