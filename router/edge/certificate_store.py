"""The certificates on disk, kept current: what changes there is served to new connections without a restart.

A place is a file or a directory, in whatever layout certbot, Kubernetes or a person leaves there:

    NAME.pem                              chain and key in one file
    NAME.crt | NAME.pem, NAME.key         side by side
    NAME/fullchain.pem, NAME/privkey.pem  certbot's `live/`
    NAME/tls.crt, NAME/tls.key            a mounted secret
    NAME.client-ca.pem | NAME/client-ca.pem   clients of these hosts must show a certificate of these CAs

The names that a certificate is good for stand in it; NAME only tells files apart, and `default` is served to clients
that ask for no or an unknown name (so is a certificate that is the only one). What can't be read or does not fit
together keeps what was served before it, is logged once and counted: nothing is taken away because of a file half
written.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import ipaddress
import logging
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cryptography import x509

from kernel.errors import ShipoffError, define
from kernel.tasks import spawn, stop
from router.core.certificates import Certificate, Certificates
from router.settings import RouterSettings

if TYPE_CHECKING:
    from router.edge.context import Edge

log = logging.getLogger(__name__)
CERTIFICATE_INVALID = define(
    "CERTIFICATE_INVALID", source="client", hint="correct the files; what was served before is served on"
)
_IN_FOLDERS: Final = (("fullchain.pem", "privkey.pem"), ("tls.crt", "tls.key"))
_SUFFIXES: Final = (".pem", ".crt", ".cert")
_CLIENT_CA: Final = "client-ca.pem"
_CIPHERS: Final = "ECDHE+AESGCM:ECDHE+CHACHA20"
_DEFAULT: Final = "default"
# SSL_OP_PRIORITIZE_CHACHA: clients without AES in hardware prefer it, and get it.
_PRIORITIZE_CHACHA: Final = 0x200000
Signature = tuple[tuple[int, int, int], ...]


@dataclass(frozen=True, slots=True)
class _Files:
    """What makes one certificate."""

    name: str
    chain: Path
    key: Path
    client_ca: Path | None

    def signature(self) -> Signature:
        """Tells whether any of the files has changed."""
        stats = [path.stat() for path in (self.chain, self.key, self.client_ca) if path is not None]
        return tuple((stat.st_mtime_ns, stat.st_size, stat.st_ino) for stat in stats)


class CertificateStore:
    """Loads certificates; `scan` is to be called by one caller at a time, in whatever thread.

    Attributes:
        failures: files that could not be used, counted once per change.
    """

    def __init__(self, settings: RouterSettings) -> None:
        self.failures = 0
        self._settings = settings
        self._kept: dict[Path, tuple[Signature, Certificate]] = {}
        self._names: dict[Path, str] = {}
        self._broken: dict[Path, Signature] = {}

    def scan(self, settings: RouterSettings | None = None) -> Certificates:
        """Looks at all files and loads those that are new or have changed.

        Args:
            settings: those of now, when they have changed.
        """
        self._settings = settings or self._settings
        found, whole = self._find()
        for files in found:
            self._take(files)
        if whole:
            present = {files.chain for files in found}
            for path in [path for path in self._kept if path not in present]:
                del self._kept[path]
        return self._certificates()

    def _find(self) -> tuple[list[_Files], bool]:
        """The files of all places, and whether every place could be read (what is not seen is not gone)."""
        found, whole = [], True
        common = Path(self._settings.tls_client_ca) if self._settings.tls_client_ca else None
        for place in _places(self._settings.tls_certificates):
            try:
                found += _of_place(place, common)
            except OSError as error:
                whole = False
                self._fail(place, (), f"{place}: {error.strerror}")
        return found, whole

    def _take(self, files: _Files) -> None:
        signature: Signature = ()
        try:
            signature = files.signature()
            kept = self._kept.get(files.chain)
            if kept is not None and kept[0] == signature:
                return
            self._kept[files.chain] = (signature, _load(files))
            self._names[files.chain] = files.name
            self._broken.pop(files.chain, None)
            log.info("certificate %s: %s", files.name, "new" if kept is None else "changed")
        except OSError as error:  # ssl.SSLError is one
            self._fail(files.chain, signature, f"{files.name}: {error.strerror or error}")
        except (ValueError, ShipoffError) as error:
            self._fail(files.chain, signature, f"{files.name}: {error}")

    def _fail(self, path: Path, signature: Signature, what: str) -> None:
        if self._broken.get(path) != signature:
            self._broken[path] = signature
            self.failures += 1
            log.error("%s", CERTIFICATE_INVALID(what))

    def _certificates(self) -> Certificates:
        every = [certificate for _, certificate in self._kept.values()]
        named = [one for path, (_, one) in self._kept.items() if self._names[path] == _DEFAULT]
        defaults = named or (every if len(every) == 1 else [])
        return Certificates(every, defaults[0] if defaults else None)


class CertificateKeeper:
    """Gives a worker the certificates of now."""

    def __init__(self, edge: Edge) -> None:
        self._edge = edge
        self._store = CertificateStore(edge.settings)
        self._hurry = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Loads what is there, and looks again from time to time."""
        await self._look()
        self._task = spawn(self._keep_current(), "router.certificates")

    async def stop(self) -> None:
        """Looks no more."""
        await stop(self._task)

    def hurry(self) -> None:
        """Looks now."""
        self._hurry.set()

    async def _keep_current(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._edge.settings.tls_reload_s):
                    await self._hurry.wait()
            self._hurry.clear()
            await self._look()

    async def _look(self) -> None:
        edge = self._edge
        edge.certificates = await asyncio.to_thread(self._store.scan, edge.settings)
        edge.metrics.certificate_failures = self._store.failures


def _places(text: str) -> Iterator[Path]:
    return (Path(part.strip()) for part in text.split(",") if part.strip())


def _of_place(place: Path, common: Path | None) -> list[_Files]:
    if not place.is_dir():
        place.stat()
        return [_beside(place, common)]
    found = []
    for entry in sorted(place.iterdir()):
        if entry.name.startswith(".") or entry.name.endswith(_CLIENT_CA):
            continue
        if entry.is_dir():
            found += [
                _Files(entry.name, entry / chain, entry / key, _existing(entry / _CLIENT_CA) or common)
                for chain, key in _IN_FOLDERS
                if (entry / chain).exists()
            ]
        elif entry.suffix in _SUFFIXES:
            found.append(_beside(entry, common))
    return found


def _beside(chain: Path, common: Path | None) -> _Files:
    key = _existing(chain.with_suffix(".key")) or chain
    own = _existing(chain.with_name(f"{chain.stem}.{_CLIENT_CA}"))
    return _Files(chain.stem, chain, key, own or common)


def _existing(path: Path) -> Path | None:
    return path if path.exists() else None


def _load(files: _Files) -> Certificate:
    """Raises OSError or ValueError when the files are not good, or not of one another."""
    leaf = x509.load_pem_x509_certificates(files.chain.read_bytes())[0]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(_CIPHERS)
    context.set_alpn_protocols(["http/1.1"])
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION | ssl.OP_CIPHER_SERVER_PREFERENCE
    context.options |= _PRIORITIZE_CHACHA
    context.load_cert_chain(files.chain, files.key, password="")
    digest = ""
    if files.client_ca is not None:
        context.load_verify_locations(files.client_ca)
        context.verify_mode = ssl.CERT_REQUIRED
        digest = hashlib.sha256(files.client_ca.read_bytes()).hexdigest()
    names = _names(leaf)
    if not names:
        raise CERTIFICATE_INVALID("it names no host")
    return Certificate(str(files.chain), names, leaf.not_valid_before_utc.timestamp(), digest, context)


def _names(leaf: x509.Certificate) -> frozenset[bytes]:
    try:
        extension = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        common = leaf.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
        return frozenset(str(name.value).lower().encode() for name in common)
    addresses: list[ipaddress.IPv4Address | ipaddress.IPv6Address] = [
        address for address in extension.get_values_for_type(x509.IPAddress) if not hasattr(address, "netmask")
    ]
    texts = [*extension.get_values_for_type(x509.DNSName), *map(str, addresses)]
    return frozenset(text.lower().rstrip(".").encode() for text in texts if text)
