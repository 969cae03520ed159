"""What a fetch of the cache is for: which request, under which key, in the place of which stored answer."""

from __future__ import annotations

from typing import Any

from router.core.caching.asked import Asked
from router.core.caching.stored import Stored
from router.core.records import Route


class Wanted:
    """What a fetch is for.

    Attributes:
        primary, key, url: as in core/caching/keys.py; the key without Vary where that is not known yet.
        groups: what its answer can be purged by, but for tags.
        asked_at: when the app was asked, seconds since the epoch.
        stored: the answer that is asked about, None for a new one.
        forwarded: why it goes to the app, as RFC 9211 calls it.
    """

    __slots__ = (
        "asked",
        "asked_at",
        "forwarded",
        "groups",
        "key",
        "primary",
        "release",
        "route",
        "rule",
        "stored",
        "url",
    )

    def __init__(self, route: Route, release: str, asked: Asked, url: bytes, primary: bytes, key: bytes) -> None:
        self.route = route
        self.rule: Any = route.policy.cache if route.policy is not None else None
        self.release = release
        self.asked = asked
        self.asked_at = 0.0
        self.url = url
        self.primary = primary
        self.key = key
        self.groups: tuple[bytes, ...] = ()
        self.stored: Stored | None = None
        self.forwarded = b"fwd=uri-miss"

    def conditions(self) -> bytes:
        """The header lines that ask whether the stored answer is current (RFC 9111, section 4.3.1)."""
        stored = self.stored
        if stored is None:
            return b""
        lines = b"If-None-Match: " + stored.etag + b"\r\n" if stored.etag else b""
        return lines + (b"If-Modified-Since: " + stored.modified + b"\r\n" if stored.modified else b"")
