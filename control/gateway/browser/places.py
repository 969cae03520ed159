"""Where a person may go on after signing in on our pages: to the question that brought them. Pure."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urlencode

PAGES: Final = ("/login/cli", "/device")
HOME: Final = "/device"
LENGTH: Final = 1000  # characters
_TEXT: Final = re.compile(r"[A-Za-z0-9/?&=%+._~-]*")


def next_of(said: str) -> str:
    """What was said, when it is one of our questions; else the page where a code can be typed."""
    path = said.partition("?")[0]
    return said if path in PAGES and len(said) <= LENGTH and _TEXT.fullmatch(said) else HOME


def sign_in(next_page: str) -> str:
    """The sign-in, which goes on there."""
    return "/login?" + urlencode({"next": next_page})
