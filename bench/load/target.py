"""What may be loaded: this machine, or what its owner names as theirs.

It refuses everything else. Load on somebody else's server is an attack, and a mistyped address should not be one.
"""

from __future__ import annotations

import ipaddress
import socket
import ssl
from dataclasses import dataclass
from urllib.parse import urlsplit

from bench.load.scenario import Refused


@dataclass(frozen=True, slots=True)
class Target:
    """Where connections go.

    Attributes:
        address: the one that was checked; it is not looked up again.
        name: the host of the URL, for the Host header and TLS.
        tls: whether connections are encrypted.
        verify: whether the certificate must be good.
    """

    address: str
    port: int
    name: str
    tls: bool = False
    verify: bool = True

    @property
    def host(self) -> str:
        """For the Host header."""
        name = f"[{self.name}]" if ":" in self.name else self.name
        return name if self.port == (443 if self.tls else 80) else f"{name}:{self.port}"

    @property
    def url(self) -> str:
        """As it is shown."""
        return f"{'https' if self.tls else 'http'}://{self.host}"

    def context(self) -> ssl.SSLContext | None:
        """For TLS, None without."""
        if not self.tls:
            return None
        context = ssl.create_default_context()
        context.set_alpn_protocols(["http/1.1"])
        if not self.verify:
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        return context


def find(url: str, owned: str = "", verify: bool = True) -> Target:
    """The target of a URL.

    Args:
        owned: the host that the operator states to be their own.

    Raises:
        Refused: it is no http(s) URL, cannot be found, or is neither this machine nor stated to be the operator's.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise Refused(f"{url}: not an http:// or https:// URL")
    if parts.path not in ("", "/") or parts.query:
        raise Refused(f"{url}: paths belong into the scenario")
    try:
        port = parts.port or (443 if parts.scheme == "https" else 80)
        found = socket.getaddrinfo(parts.hostname, port, type=socket.SOCK_STREAM)
    except (OSError, ValueError) as error:
        raise Refused(f"{url}: {error}") from error
    addresses = [str(one[4][0]) for one in found]
    foreign = [one for one in addresses if not ipaddress.ip_address(one.partition("%")[0]).is_loopback]
    if foreign and owned != parts.hostname:
        raise Refused(
            f"{parts.hostname} is {foreign[0]}, which is not this machine. Load goes only to what you own: "
            f"if you do, and may load it, add --i-own {parts.hostname}"
        )
    return Target(_first(addresses), port, parts.hostname, parts.scheme == "https", verify)


def _first(addresses: list[str]) -> str:
    """IPv4 where there is both: what listens on a name's loopback often listens on that alone."""
    return next((one for one in addresses if ":" not in one), addresses[0])
