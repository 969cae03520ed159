"""The host part of a request, brought to the one form in which the table knows it."""

from __future__ import annotations

import re
from ipaddress import AddressValueError, IPv6Address
from typing import Final

_NAME: Final = re.compile(rb"([a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_-])?)\.?(?::[0-9]{0,5})?").fullmatch
_LITERAL: Final = re.compile(rb"(\[[0-9a-f:.]{2,45}\])(?::[0-9]{0,5})?").fullmatch


def canonical(host: bytes) -> bytes | None:
    """The host without port and root dot, an IPv6 literal in its shortest form, or None when it is not a host at all.

    Args:
        host: lower-case value of a Host header, RFC 9110 section 7.2.
    """
    match = _NAME(host)
    if match is not None:
        return None if b".." in host else match[1]
    literal = _LITERAL(host)
    return _shortest(literal[1]) if literal is not None else None


def _shortest(literal: bytes) -> bytes | None:
    """An IPv6 address in brackets in its one form of RFC 5952, or None when it is none."""
    try:
        return f"[{IPv6Address(literal[1:-1].decode()).compressed}]".encode()
    except AddressValueError:
        return None
