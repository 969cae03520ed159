"""The host part of a request, brought to the one form in which the table knows it."""

from __future__ import annotations

import re
from typing import Final

_NAME: Final = re.compile(rb"([a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_-])?)\.?(?::[0-9]{0,5})?").fullmatch
_LITERAL: Final = re.compile(rb"(\[[0-9a-f:.]{2,45}\])(?::[0-9]{0,5})?").fullmatch


def canonical(host: bytes) -> bytes | None:
    """The host without port and root dot, or None when it is not a host at all.

    Args:
        host: lower-case value of a Host header, RFC 9110 section 7.2.
    """
    match = _NAME(host) or _LITERAL(host)
    if match is None or b".." in host:
        return None
    return match[1]
