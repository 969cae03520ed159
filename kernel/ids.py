"""Typed, sortable ids: a prefix that names the kind and a UUIDv7 (RFC 9562, section 5.7) in hex."""

from __future__ import annotations

import os
import re
import time
from typing import Final, Literal

Kind = Literal[
    "acc", "aud", "bld", "dep", "dlv", "dom", "epo", "evt", "hok", "idn", "inv", "ins", "key", "lnk", "prj", "rel",
    "req", "ses", "tem", "tok",
]  # fmt: skip

_PATTERN: Final = re.compile(r"([a-z]{3})_([0-9a-f]{32})")


def new(kind: Kind) -> str:
    """Makes an id such as `prj_0192f0c1a8b27c3d9e4f5a6b7c8d9e0f`; ids made later by one machine sort later,
    unless its clock was set back: where order matters, a database counts.
    """
    return f"{kind}_{uuid7().hex()}"


def uuid7(now_ms: int | None = None) -> bytes:
    """The 16 bytes of a UUIDv7: 48 bits of unix milliseconds, 12 bits of sub-millisecond time, 62 random bits."""
    ns = time.time_ns()
    ms = ns // 1_000_000 if now_ms is None else now_ms
    fraction = (ns % 1_000_000) * 4096 // 1_000_000
    rand = int.from_bytes(os.urandom(8), "big") & ((1 << 62) - 1)
    value = (ms & ((1 << 48) - 1)) << 80 | 0x7 << 76 | fraction << 64 | 0b10 << 62 | rand
    return value.to_bytes(16, "big")


def is_id(text: str, kind: Kind) -> bool:
    """Whether the text is a well-formed id of this kind."""
    match = _PATTERN.fullmatch(text)
    return match is not None and match[1] == kind
