"""Secrets of 256 random bits in URL-safe base64, of which only the sha256 is stored.

A slow hash would protect nothing more: there is nothing to guess.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from typing import Final

_FORM: Final = re.compile(r"[A-Za-z0-9_-]{43}")


def make(prefix: str = "") -> str:
    """A fresh secret; its alphabet needs no quoting in URLs, headers and shells."""
    return prefix + secrets.token_urlsafe(32)


def is_well_formed(secret: str, prefix: str = "") -> bool:
    """Whether this can be such a secret at all; what cannot be is refused without a look at the database."""
    return secret.startswith(prefix) and _FORM.fullmatch(secret.removeprefix(prefix)) is not None


def digest(secret: str) -> bytes:
    """What is stored and looked up."""
    return hashlib.sha256(secret.encode()).digest()
