"""The PROXY protocol, versions 1 and 2: how a TCP load balancer says who has connected to it.

Source: haproxy's doc/proxy-protocol.txt. Only the client's address is taken; what a header says beyond it (type-length
values of version 2) is skipped, and no header longer than `MAX_HEADER` is read. Nothing is repaired: a header that is
not exactly right is refused, because whoever may send one decides over whom the router believes to talk to.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Final

from router.core.errors import PROXY_HEADER_INVALID, Refused

# Version 2 allows 64 KiB of values; load balancers send some hundred bytes.
MAX_HEADER: Final = 4096
_SIGNATURE: Final = b"\r\n\r\n\x00\r\nQUIT\n"
_FIRST: Final = b"PROXY "
_LONGEST_LINE: Final = 107
_FIXED: Final = 16
_PORT: Final = rb"(?:0|[1-9][0-9]{0,4})"
_LINE: Final = re.compile(
    rb"PROXY (?:UNKNOWN(?: [^\r\n]*)?|(TCP[46]) ([0-9a-fA-F:.]+) ([0-9a-fA-F:.]+) ("
    + _PORT
    + rb") ("
    + _PORT
    + rb"))\r\n"
).match
_LOCAL, _PROXY = 0x20, 0x21
# Family and transport -> (bytes of the addresses, bytes of the client's, which come first).
_ADDRESSES: Final = {
    0x00: (0, 0),
    0x11: (12, 4),
    0x12: (12, 4),
    0x21: (36, 16),
    0x22: (36, 16),
    0x31: (216, 0),
    0x32: (216, 0),
}
_STREAMS: Final = frozenset((0x11, 0x21))


class ProxyHeader:
    """A header that was found good.

    Attributes:
        ip: the client's address as text; "" where the header speaks for nobody (LOCAL, UNKNOWN, a unix socket), so that
            the peer's own address counts.
        end: bytes of the header in the data.
    """

    __slots__ = ("end", "ip")

    def __init__(self, ip: str, end: int) -> None:
        self.ip = ip
        self.end = end


def read_proxy_header(data: bytes) -> ProxyHeader | None:
    """Reads a header from the beginning of a connection's data.

    Returns:
        The header, or None while it is incomplete.

    Raises:
        Refused: PROXY_HEADER_INVALID; the connection is to be closed without a word.
    """
    if data[:1] == b"P":
        return _read_line(data)
    if not _SIGNATURE.startswith(data[: len(_SIGNATURE)]):
        raise Refused(PROXY_HEADER_INVALID, "the connection does not begin with a PROXY header")
    return _read_binary(data)


def _read_line(data: bytes) -> ProxyHeader | None:
    stop = data.find(b"\r\n", 0, _LONGEST_LINE)
    if stop < 0:
        if len(data) >= _LONGEST_LINE or not (_FIRST.startswith(data) or data.startswith(_FIRST)):
            raise Refused(PROXY_HEADER_INVALID, "the PROXY line has no end or no beginning")
        return None
    match = _LINE(data)
    if match is None or match.end() != stop + 2:
        raise Refused(PROXY_HEADER_INVALID, "the PROXY line is malformed")
    family, source, destination, *ports = match.groups()
    if family is None:
        return ProxyHeader("", stop + 2)
    if any(int(port) > 65535 for port in ports):
        raise Refused(PROXY_HEADER_INVALID, "the PROXY line has a port that is none")
    version = int(family[3:])
    _parse(destination, version)
    return ProxyHeader(_parse(source, version), stop + 2)


def _parse(text: bytes, version: int) -> str:
    try:
        address = ipaddress.ip_address(text.decode())
    except ValueError:
        address = None
    if address is None or address.version != version:
        raise Refused(PROXY_HEADER_INVALID, "the PROXY line has an address that is none of its family")
    return str(address)


def _read_binary(data: bytes) -> ProxyHeader | None:
    if len(data) < _FIXED:
        return None
    command, family = data[12], data[13]
    length = int.from_bytes(data[14:16], "big")
    if command not in (_LOCAL, _PROXY) or family not in _ADDRESSES:
        raise Refused(PROXY_HEADER_INVALID, "the PROXY header has an unknown version, command or family")
    size, ours = _ADDRESSES[family]
    if _FIXED + length > MAX_HEADER or (command == _PROXY and length < size):
        raise Refused(PROXY_HEADER_INVALID, "the PROXY header's length is not one that fits")
    end = _FIXED + length
    if len(data) < end:
        return None
    if command == _LOCAL or family not in _STREAMS:
        return ProxyHeader("", end)
    return ProxyHeader(str(ipaddress.ip_address(data[_FIXED : _FIXED + ours])), end)
