"""How long a request and its connection wait for what: the settings' waits as plain numbers, or a route's own."""

from __future__ import annotations

import math


class Waits:
    """Seconds, as described in RouterSettings. Never changed; replaced as a whole."""

    __slots__ = ("answer_s", "body_s", "head_s", "keep_alive_s", "stream_s")

    def __init__(self, answer_s: float, body_s: float, stream_s: float, head_s: float, keep_alive_s: float) -> None:
        self.answer_s = answer_s
        self.body_s = body_s
        self.stream_s = stream_s
        self.head_s = head_s
        self.keep_alive_s = keep_alive_s

    def overridden(self, answer_s: float, body_s: float, stream_s: float) -> Waits:
        """These, with what a route has of its own (nan: nothing)."""
        return Waits(
            self.answer_s if math.isnan(answer_s) else answer_s,
            self.body_s if math.isnan(body_s) else body_s,
            self.stream_s if math.isnan(stream_s) else stream_s,
            self.head_s,
            self.keep_alive_s,
        )
