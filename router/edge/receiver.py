"""What takes the bytes of a connection: a class, so that compiled transports call it without looking the method up."""

from __future__ import annotations


class Receiver:
    """The hot half of asyncio's Protocol."""

    __slots__ = ()

    def data_received(self, data: bytes) -> None:
        """Takes what has come; not empty."""
        raise NotImplementedError
