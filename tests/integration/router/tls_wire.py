"""What the tests of TLS need: an authority of one's own, what it signs, and clients."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
import ssl
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.integration.router.wire import LIMIT_S, InProcess, Message, read_message

T = TypeVar("T")
_DAY = timedelta(days=1)
GET = b"GET / HTTP/1.1\r\nHost: app.test\r\n\r\n"


class Authority:
    """A certificate authority; its certificate is in `path`."""

    def __init__(self, directory: Path, name: str = "authority") -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        usage = x509.KeyUsage(
            digital_signature=True,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            key_cert_sign=True,
            crl_sign=True,
            encipher_only=False,
            decipher_only=False,
        )
        now = datetime.now(UTC)
        certificate = (
            x509.CertificateBuilder(self._name, self._name, self._key.public_key(), x509.random_serial_number())
            .not_valid_before(now - _DAY)
            .not_valid_after(now + _DAY)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(usage, critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self._key.public_key()), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        self.path = directory / f"{name}.pem"
        self.path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))

    def issue(self, *names: str, since: timedelta = -_DAY) -> tuple[bytes, bytes]:
        """A certificate for these names, and its key, both PEM.

        Args:
            since: when it begins to be valid, from now.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        now = datetime.now(UTC)
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
        certificate = (
            x509.CertificateBuilder(self._name, subject, key.public_key(), x509.random_serial_number())
            .not_valid_before(now + since)
            .not_valid_after(now + _DAY)
            .add_extension(x509.SubjectAlternativeName([_general(name) for name in names]), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        return certificate.public_bytes(serialization.Encoding.PEM), key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )

    def write(self, path: Path, *names: str, since: timedelta = -_DAY) -> Path:
        """Puts chain and key into one file."""
        path.parent.mkdir(parents=True, exist_ok=True)
        written = path.with_name(path.name + ".new")
        written.write_bytes(b"".join(self.issue(*names, since=since)))
        return written.replace(path)

    def client(self, shown: Path | None = None, **options: Any) -> ssl.SSLContext:
        """What a client trusts us with, and shows."""
        context = ssl.create_default_context(cafile=str(self.path))
        if shown is not None:
            context.load_cert_chain(shown)
        for name, value in options.items():
            setattr(context, name, value)
        return context


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


class HandTls:
    """A TLS client whose every step a test takes by hand.

    Args of the constructor:
        piece: bytes that go out at a time; 0 for all at once.
    """

    def __init__(self, context: ssl.SSLContext, piece: int = 0) -> None:
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._piece = piece
        self._cut = False
        self.secured = context.wrap_bio(self._incoming, self._outgoing, server_hostname="app.test")
        self.reader: asyncio.StreamReader
        self.writer: asyncio.StreamWriter

    async def connect(self, port: int) -> None:
        """Connects and shakes hands."""
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", port)
        self.writer.transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await self.do(self.secured.do_handshake)

    async def do(self, step: Callable[[], T]) -> T:
        """Takes a step, and reads as often as it needs that."""
        while True:
            try:
                return step()
            except ssl.SSLWantReadError:
                self.send()
                data = await asyncio.wait_for(self.reader.read(65536), LIMIT_S)
                self._incoming.write(data) if data else self._incoming.write_eof()
            finally:
                self.send()

    def cut_off(self) -> None:
        """Ends our side of the socket without a goodbye."""
        self._cut = True
        self.writer.write_eof()

    def send(self) -> None:
        """Sends what the steps have made."""
        data = b"" if self._cut else self._outgoing.read()
        for at in range(0, len(data), self._piece or 65536):
            self.writer.write(data[at : at + (self._piece or 65536)])

    def say_goodbye(self) -> None:
        """Sends a close_notify and does not wait for the other's."""
        with contextlib.suppress(ssl.SSLWantReadError):
            self.secured.unwrap()
        self.send()

    async def read_all(self) -> bytes:
        """Reads to a clean end; raises ssl.SSLError at another one."""
        parts = []
        with contextlib.suppress(ssl.SSLZeroReturnError):
            while part := await self.do(lambda: self.secured.read(65536)):
                parts.append(part)
        return b"".join(parts)


async def connect(
    router: InProcess, context: ssl.SSLContext, host: str | None = "app.test"
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    async with asyncio.timeout(LIMIT_S):
        return await asyncio.open_connection(
            "127.0.0.1", router.tls_port, ssl=context, server_hostname=host or "", limit=2**20
        )


async def ask(router: InProcess, context: ssl.SSLContext, host: str | None = "app.test", raw: bytes = GET) -> Message:
    reader, writer = await connect(router, context, host)
    try:
        writer.write(raw)
        return await read_message(reader)
    finally:
        writer.close()


def blocking(router: InProcess, context: ssl.SSLContext, **more: object) -> ssl.SSLSocket:
    """A client without a loop, for what asyncio hides."""
    raw = socket.create_connection(("127.0.0.1", router.tls_port), LIMIT_S)
    return context.wrap_socket(raw, server_hostname="app.test", **more)  # type: ignore[arg-type]


def unchecked() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
