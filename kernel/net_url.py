"""What a URL must look like that the platform is to connect to on a tenant's word. Pure; refuses, never repairs.

Which address the host has is judged at each connection (kernel/net_guard.py). Here is refused what two parsers could
read in two ways, because the one that judged and the one that connects must mean the same host.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final
from urllib.parse import SplitResult, urlsplit

import idna

from kernel.errors import define

URL_INVALID = define(
    "URL_INVALID", source="client", status=422, hint="use https://host/path, without a user name in it"
)

LENGTH: Final = 2048  # characters
PORTS: Final = frozenset({80, 443, 8080, 8443})
_DEFAULTS: Final = {"https": 443, "http": 80}
_TEXT: Final = re.compile(r"[!-[\]-~\u00a1-\uffff]+")  # no blanks, control characters and backslashes
_NAME: Final = re.compile(
    r"(?=.{1,253}\Z)(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
)
_NUMBER: Final = re.compile(r"[0-9]+|0x[0-9a-f]*")  # a last label like this makes a host an address (WHATWG URL, 3.5)


@dataclass(frozen=True, slots=True)
class Target:
    """A URL that may be tried.

    Attributes:
        url: as it is to be requested: the host in ASCII.
        host: lower case, ASCII, without brackets or a dot at the end.
    """

    url: str
    scheme: str
    host: str
    port: int


def check_url(url: str, *, insecure: bool = False, ports: Collection[int] = PORTS) -> Target:
    """Reads a URL that a tenant gave.

    Args:
        insecure: http is allowed too.
        ports: that may be named.

    Raises:
        ShipoffError: URL_INVALID, with the reason.
    """
    if len(url) > LENGTH:
        raise URL_INVALID(f"the URL has more than {LENGTH} characters")
    if not _TEXT.fullmatch(url):
        raise URL_INVALID("the URL has blanks, control characters or backslashes, or is empty")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise URL_INVALID("the URL cannot be read") from None
    if parts.scheme not in _DEFAULTS or (parts.scheme == "http" and not insecure):
        raise URL_INVALID("the URL does not begin with https://" + (" or http://" if insecure else ""))
    if "@" in parts.netloc:
        raise URL_INVALID("the URL has a user name or a password in it")
    if not (parts.path + parts.query).isascii():
        raise URL_INVALID("the URL's path has letters beyond ASCII: write them percent-encoded")
    if "#" in url:
        raise URL_INVALID("the URL has a fragment (#...)")
    host = host_of(parts.hostname or "")
    port = _DEFAULTS[parts.scheme] if port is None else port
    if port not in ports:
        raise URL_INVALID(f"port {port} is not one of {', '.join(map(str, sorted(ports)))}")
    return Target(_rebuilt(parts, host, port), parts.scheme, host, port)


def host_of(text: str) -> str:
    """A host as the DNS or the kernel knows it.

    Args:
        text: a name (also a Unicode one, RFC 5891) or an address, IPv6 without brackets.

    Raises:
        ShipoffError: URL_INVALID; also for addresses in another spelling than the usual one (0x7f.1, 127.1, a zone).
    """
    if ":" in text:
        return _address(text)
    try:
        name = text.lower() if text.isascii() else idna.encode(text, uts46=True, std3_rules=True).decode()
    except idna.IDNAError:
        raise URL_INVALID(f"{text[:80]!r} is no host name") from None
    name = name.removesuffix(".")
    if _NUMBER.fullmatch(name.rpartition(".")[2]):
        return _address(name)
    if not _NAME.fullmatch(name):
        raise URL_INVALID(f"{text[:80]!r} is no host name")
    return name


def _address(text: str) -> str:
    try:
        ip = ipaddress.ip_address(text)
    except ValueError:
        raise URL_INVALID(f"{text[:80]!r} is no address in its usual spelling") from None
    if isinstance(ip, ipaddress.IPv6Address) and ip.scope_id is not None:
        raise URL_INVALID("an address with a zone names a network of this machine")
    return str(ip)


def _rebuilt(parts: SplitResult, host: str, port: int) -> str:
    shown = f"[{host}]" if ":" in host else host
    place = shown if port == _DEFAULTS[parts.scheme] else f"{shown}:{port}"
    return parts._replace(netloc=place, path=parts.path or "/").geturl()
