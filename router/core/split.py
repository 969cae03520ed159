"""Which of several releases gets a request: by weight, by the cookie that remembers an earlier draw, or by a header.

The cookie and the header only choose among releases that have a weight now, so nobody reaches what is not served.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote

from router.core.reading import Reader, wrong

_COOKIE_NAME: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,64}").fullmatch
_HEADER_NAME: Final = re.compile(r"[A-Za-z0-9-]{1,64}").fullmatch
Weights = tuple[tuple[str, int], ...]


def draw(weights: Weights, point: float) -> str:
    """The release at a point of the weighted line; "" when there are no weights.

    Args:
        weights: (release, cumulative upper bound) pairs.
        point: from 0 to 1, 1 excluded.
    """
    if weights:
        place = point * weights[-1][1]
        for release, bound in weights:
            if place < bound:
                return release
    return ""


class Split:
    """How a route with several releases remembers and overrides the draw.

    Attributes:
        cookie: its name; "" draws every request anew.
        max_age: seconds that a browser keeps it.
        header: the lower-case name of the header that may choose; b"" for none.
    """

    __slots__ = ("_value", "cookie", "header", "max_age")

    def __init__(self, cookie: str, max_age: int, header: str) -> None:
        self.cookie = cookie
        self.max_age = max_age
        self.header = header.lower().encode()
        self._value = re.compile(rb"(?:^|; ?)" + re.escape(cookie.encode()) + rb"=([!-:<-~]{1,256})(?=;|$)").search

    def choose(self, weights: Weights, wanted: bytes, cookies: bytes, point: float) -> tuple[str, bool]:
        """The release of a request.

        Args:
            wanted: value of the override header, b"" when absent.
            cookies: value of the Cookie header.
            point: where the draw falls, as in `draw`.

        Returns:
            The release, and whether the client is to be told to remember it.
        """
        served = {quote(release, ""): release for release, _ in weights}
        if release := served.get(quote(wanted, "")):
            return release, False
        if self.cookie and (match := self._value(cookies)) and (release := served.get(match[1].decode())):
            return release, False
        release = draw(weights, point)
        return release, bool(self.cookie and release)

    def set_cookie(self, release: str, secure: bool) -> bytes:
        """The header line that makes a browser stay with a release."""
        line = f"Set-Cookie: {self.cookie}={quote(release, '')}; Path=/; Max-Age={self.max_age}; HttpOnly; SameSite=Lax"
        return line.encode() + (b"; Secure\r\n" if secure else b"\r\n")


def read_split(reader: Reader) -> Split:
    """Reads `{"cookie": name, "max_age_s": seconds, "header": name}`.

    Raises:
        ShipoffError: RECORD_INVALID.
    """
    cookie, header = reader.text("cookie", ""), reader.text("header", "")
    if cookie and _COOKIE_NAME(cookie) is None:
        raise wrong(reader.path("cookie"), "not a cookie's name")
    if header and _HEADER_NAME(header) is None:
        raise wrong(reader.path("header"), "not a header's name")
    return Split(cookie, reader.whole("max_age_s", 86_400, 1, 31_536_000), header)
