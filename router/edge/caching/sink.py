"""The end of the app's side of a fetch: has of a transport what that side uses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from router.edge.transport import Transport

if TYPE_CHECKING:
    from router.edge.caching.fetch import Fetch


class Sink(Transport):
    """Where the app's side writes: a transport as far as that side knows."""

    __slots__ = ("_fetch",)

    def __init__(self, fetch: Fetch) -> None:
        self._fetch = fetch

    def write(self, data: bytes) -> None:
        """Takes bytes of the answer."""
        self._fetch.take(data)

    def get_extra_info(self, name: str, default: object = None) -> object:
        """There is no socket."""
        return default

    def get_write_buffer_size(self) -> int:
        """Everything is taken at once."""
        return 0

    def close(self) -> None:
        """The fetch ends by itself."""

    def abort(self) -> None:
        """As `close`."""

    def is_closing(self) -> bool:
        """Never before its fetch ends."""
        return False
