"""Which certificate a TLS client is served, and which hosts may be asked for on its connection.

A host is looked up exactly, then as a wildcard of one label (RFC 9525, section 6.3), then the default is taken. No
module of TLS is known here: a certificate's `context` is whatever edge/ makes of it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from router.core.host import canonical

_MOST_ADMITTED: Final = 4096


class Certificate:
    """A certificate as it is served.

    Attributes:
        path: the file that it came from.
        names: DNS names and addresses that it is good for, lower case; wildcards as `*.example.org`.
        since: when its validity begins (POSIX seconds); of two for a name the younger one is served.
        client_ca: tells apart who may ask; "" where anybody may, else a digest of the CAs of client certificates.
        context: what edge/ serves it with.
    """

    __slots__ = ("client_ca", "context", "names", "path", "since")

    def __init__(self, path: str, names: frozenset[bytes], since: float, client_ca: str, context: Any) -> None:
        self.path = path
        self.names = names
        self.since = since
        self.client_ca = client_ca
        self.context = context

    def covers(self, host: bytes) -> bool:
        """Whether it is good for a host (canonical)."""
        return host in self.names or _wildcard(host) in self.names


class Certificates:
    """An immutable set of certificates; a change makes another one.

    Args of the constructor:
        default: for clients that name no host or one that no certificate covers; None refuses these.

    Attributes:
        gated: one of them asks for client certificates.
        admitted: hosts as they were sent -> on whose connection they were found good last (`Served.admits`).
    """

    __slots__ = ("_names", "admitted", "default", "gated")

    def __init__(self, certificates: Iterable[Certificate] = (), default: Certificate | None = None) -> None:
        self.default = default
        self._names: dict[bytes, Certificate] = {}
        self.admitted: dict[bytes, Certificate] = {}
        certificates = tuple(certificates)
        self.gated = any(certificate.client_ca for certificate in certificates)
        for certificate in sorted(certificates, key=lambda one: one.since):
            self._names.update(dict.fromkeys(certificate.names, certificate))

    def find(self, host: bytes) -> Certificate | None:
        """The certificate for a host (canonical, b"" for none), or the default."""
        return self._names.get(host) or self._names.get(_wildcard(host)) or self.default

    def __len__(self) -> int:
        return len(self._names)


class Served:
    """What a connection was served; decides over the hosts that may be asked for on it.

    Args of the constructor:
        certificate: which one.
        fallback: it is the default and was not asked for by its name.
    """

    __slots__ = ("certificate", "fallback")

    def __init__(self, certificate: Certificate, fallback: bool) -> None:
        self.certificate = certificate
        self.fallback = fallback

    def admits(self, sent: bytes, certificates: Certificates) -> bool:
        """Whether a request for a host may come in on this connection (RFC 9110, section 15.5.20).

        Args:
            sent: value of the Host header, lower case; b"" when there is none.
            certificates: those of now.
        """
        if certificates.admitted.get(sent) is self.certificate:
            return True
        if not certificates.gated and (self.fallback or sent in self.certificate.names):
            return True
        host = canonical(sent)
        good = host is None or self._admits(host.strip(b"[]"), certificates)
        if good and not self.fallback:
            if len(certificates.admitted) >= _MOST_ADMITTED:
                certificates.admitted.clear()
            certificates.admitted[sent] = self.certificate
        return good

    def _admits(self, host: bytes, certificates: Certificates) -> bool:
        ours, other = self.certificate, certificates.find(host)
        if other is not None and other.client_ca and other.client_ca != ours.client_ca:
            return False  # that host asks for a client certificate which this connection has not shown
        return self.fallback or other is ours or ours.covers(host)


def _wildcard(host: bytes) -> bytes:
    dot = host.find(b".")
    return b"*" + host[dot:] if dot > 0 else b""
