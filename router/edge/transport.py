"""What a protocol of the data path writes to: the part of asyncio's transports that this router needs.

It is a class and not a Protocol so that compiled code calls its methods without looking them up.
"""

from __future__ import annotations

from typing import Any

from router.edge.receiver import Receiver


class Transport(Receiver):
    """One connection, as its protocol sees it; names and meanings are asyncio's.

    It may be a layer on another one, whose bytes it takes (edge/tls.py).
    """

    __slots__ = ()

    def write(self, data: Any) -> None:
        """Sends bytes; what the kernel does not take now goes later."""
        raise NotImplementedError

    def close(self) -> None:
        """Ends the connection behind what was written."""
        raise NotImplementedError

    def abort(self) -> None:
        """Ends the connection now."""
        raise NotImplementedError

    def write_eof(self) -> None:
        """Ends our side behind what was written."""
        raise NotImplementedError

    def pause_reading(self) -> None:
        """Reads no more until `resume_reading`."""
        raise NotImplementedError

    def resume_reading(self) -> None:
        """Reads again."""
        raise NotImplementedError

    def is_closing(self) -> bool:
        """Whether it is gone or about to be."""
        raise NotImplementedError

    def can_write_eof(self) -> bool:
        """Whether our side can end alone."""
        raise NotImplementedError

    def get_write_buffer_size(self) -> int:
        """Bytes that the kernel did not take yet."""
        raise NotImplementedError

    def set_protocol(self, protocol: Any) -> None:
        """Another protocol gets what comes from now on."""
        raise NotImplementedError

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """`socket` and `peername`."""
        raise NotImplementedError
