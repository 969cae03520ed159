"""TLS on a stream: the same names as edge/stream.py, so that clients and tunnels run on it unchanged.

It begins where the handshake is over (edge/doorway.py). One read of the socket is decrypted whole and handed on at
once; one write is encrypted record by record and goes out at once. Between calls OpenSSL's buffers are empty but for a
record that has not come whole, so back-pressure is the stream's. The end of a connection is clean only when the peer
has said so (close_notify); one that is merely cut off ends with an error, and `abort` never says goodbye.
"""

from __future__ import annotations

import ssl
from typing import Any, Final

from router.edge.receiver import Receiver
from router.edge.stream import Stream
from router.edge.transport import Transport

_RECORD: Final = 16384


class TlsStream(Transport):
    """A transport whose bytes are encrypted on their way to another one.

    Args of the constructor:
        stream: gets this object as its protocol.
        secured: after its handshake, between the two buffers.
        protocol: gets what is decrypted.
    """

    __slots__ = (
        "_choked",
        "_decrypt",
        "_encrypt",
        "_ended",
        "_error",
        "_incoming",
        "_outgoing",
        "_owing",
        "_partial",
        "_paused",
        "_protocol",
        "_receiver",
        "_secured",
        "_shut",
        "_stream",
    )

    def __init__(
        self, stream: Stream, secured: ssl.SSLObject, incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO, protocol: Any
    ) -> None:
        self._stream = stream
        self._secured = secured
        self._incoming = incoming
        self._outgoing = outgoing
        self._protocol = protocol
        self._receiver = protocol if isinstance(protocol, Receiver) else None
        raw = getattr(secured, "_sslobj", secured)  # the same calls, without a frame of Python around each
        self._decrypt = raw.read
        self._encrypt = raw.write
        self._partial = True  # OpenSSL may hold a piece of a record
        self._ended = False  # the peer has said that it sends no more
        self._shut = False  # we have
        self._choked = False  # the stream holds more than the kernel takes
        self._paused = False  # the protocol does not want to read
        self._owing = False  # we answer no more records (key updates) before the peer reads
        self._error: OSError | None = None
        stream.set_protocol(self)
        protocol.connection_made(self)
        if incoming.pending:
            self.data_received(b"")

    # --- what the stream calls ---------------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        """Encrypted bytes have come."""
        if self._ended:
            return
        self._incoming.write(data)
        plain = b""
        ended = False
        try:
            # The bytes of a record are fewer than its own, so no more memory than this is asked for.
            plain = self._decrypt(_RECORD if self._partial or len(data) > _RECORD else len(data))
            self._partial = False
            if self._incoming.pending:
                plain = self._read_on(plain)
            ended = self._ended or not plain
        except ssl.SSLWantReadError:
            self._partial = True
        except ssl.SSLZeroReturnError:
            ended = True
        except ssl.SSLError as error:
            self._break(error)
            return
        if self._outgoing.pending:
            self._answer()
        if plain:
            self._give(plain)
        if ended and not self._stream.is_closing():
            self._ended = True
            if not self._protocol.eof_received():
                self.close()

    def eof_received(self) -> bool:
        """The peer's side of the socket has ended."""
        if self._ended:
            return True
        if self._shut:  # many do not say goodbye to those who have said it
            self._ended = True
            return bool(self._protocol.eof_received())
        self._error = ConnectionResetError("the TLS connection was cut off")
        self._stream.abort()
        return True

    def pause_writing(self) -> None:
        """The kernel does not take what was written."""
        self._choked = True
        self._protocol.pause_writing()

    def resume_writing(self) -> None:
        """It does again."""
        self._choked = False
        if self._owing:
            self._owing = False
            if not self._paused:
                self._stream.resume_reading()
        self._protocol.resume_writing()

    def connection_lost(self, error: Exception | None) -> None:
        """The socket is gone."""
        protocol, self._protocol, self._receiver = self._protocol, None, None
        protocol.connection_lost(error or self._error)

    # --- what protocols call -----------------------------------------------------------------------------------------

    def write(self, data: Any) -> None:
        """Encrypts and sends bytes; as `Stream.write`."""
        if self._shut or not data:
            return
        try:
            if len(data) <= _RECORD:
                self._encrypt(data)
                self._stream.write(self._outgoing.read())
            else:
                self._write_records(memoryview(data))
        except ssl.SSLError as error:
            self._break(error)

    def close(self) -> None:
        """Says that nothing more comes, and ends the connection behind what was written."""
        if not self._stream.is_closing():
            self._say_end()
            self._stream.close()

    def abort(self) -> None:
        """Ends the connection now, so that the peer cannot take it for a clean end."""
        self._stream.abort()

    def write_eof(self) -> None:
        """Ends our side behind what was written."""
        self._say_end()
        self._stream.write_eof()

    def pause_reading(self) -> None:
        """Reads no more until `resume_reading`."""
        self._paused = True
        self._stream.pause_reading()

    def resume_reading(self) -> None:
        """Reads again."""
        self._paused = False
        if not self._owing:
            self._stream.resume_reading()

    def is_closing(self) -> bool:
        """Whether it is gone or about to be."""
        return self._stream.is_closing()

    def can_write_eof(self) -> bool:
        """Whether our side can end alone."""
        return True

    def get_write_buffer_size(self) -> int:
        """Bytes, encrypted, that the kernel did not take yet."""
        return self._stream.get_write_buffer_size()

    def set_protocol(self, protocol: Any) -> None:
        """Another protocol gets what comes from now on."""
        self._protocol = protocol
        self._receiver = protocol if isinstance(protocol, Receiver) else None

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """`ssl_object`, and what the stream knows. Who sends by the `socket` itself sends in the clear."""
        if name == "ssl_object":
            return self._secured
        return self._stream.get_extra_info(name, default)

    # --- inside ------------------------------------------------------------------------------------------------------

    def _give(self, plain: bytes) -> None:
        if self._receiver is not None:
            self._receiver.data_received(plain)
        else:
            self._protocol.data_received(plain)

    def _read_on(self, first: bytes) -> bytes:
        """Decrypts the records behind the first one."""
        pieces = [first]
        try:
            while pieces[-1] and self._incoming.pending:
                pieces.append(self._decrypt(_RECORD))
        except ssl.SSLWantReadError:
            self._partial = True
        except ssl.SSLZeroReturnError:
            pieces.append(b"")
        self._ended = not pieces[-1]
        return b"".join(pieces)

    def _write_records(self, data: memoryview) -> None:
        pieces = []
        for at in range(0, len(data), _RECORD):
            self._encrypt(data[at : at + _RECORD])
            pieces.append(self._outgoing.read())
        self._stream.write(b"".join(pieces))

    def _answer(self) -> None:
        """Sends what OpenSSL has to say to a record; a peer that makes it talk and does not read is read no more."""
        self._stream.write(self._outgoing.read())
        if self._choked and not self._owing:
            self._owing = True
            self._stream.pause_reading()

    def _say_end(self) -> None:
        if not self._shut:
            self._shut = True
            try:
                self._secured.unwrap()
            except ssl.SSLError:
                pass  # its own close_notify has not come yet
            if self._outgoing.pending:
                self._stream.write(self._outgoing.read())

    def _break(self, error: OSError) -> None:
        """The peer breaks the protocol: it gets the alert, and the connection ends."""
        self._error = error
        self._shut = True
        if self._outgoing.pending:
            self._stream.write(self._outgoing.read())
        self._stream.abort()
