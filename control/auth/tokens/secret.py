"""The secret of an API token: `shp_` and 256 random bits. Only its hash is ever stored."""

from __future__ import annotations

import hashlib
import re
import secrets
from typing import Final

PREFIX: Final = "shp_"
DISPLAYED: Final = len(PREFIX) + 6  # enough to tell one's tokens apart, 220 bits short of a guess
_FORM: Final = re.compile(r"shp_[A-Za-z0-9_-]{43}")


def make() -> str:
    """A fresh secret; its alphabet needs no quoting in URLs, headers and shells."""
    return PREFIX + secrets.token_urlsafe(32)


def is_well_formed(secret: str) -> bool:
    """Whether this can be a secret of ours at all; what cannot be is refused without a look at the database."""
    return _FORM.fullmatch(secret) is not None


def digest(secret: str) -> bytes:
    """What is stored and looked up."""
    return hashlib.sha256(secret.encode()).digest()


def displayed(secret: str) -> str:
    """The part that lists may show."""
    return secret[:DISPLAYED]
