"""Ids of kernel/ids.py as the 16 bytes that they name, and back. Compiled, both are `id_bytes.pxd`."""

from __future__ import annotations


def read(value: object, prefix: str) -> bytes:
    """The 16 bytes of an id; b"" when the value is no such id.

    Args:
        prefix: with its underscore, four characters.
    """
    if type(value) is not str or len(value) != 36 or value[:4] != prefix:
        return b""
    try:
        raw = bytes.fromhex(value[4:])
    except ValueError:
        return b""
    return raw if raw.hex() == value[4:] else b""  # fromhex takes spaces and capitals too


def text(prefix: str, packed: bytes, at: int) -> str:
    """The id whose 16 bytes begin at a place."""
    return prefix + packed[at : at + 16].hex()
