"""Strict reading of request and response heads (RFC 9112): one anchored pattern decides over the whole head.

What the pattern accepts is forwarded verbatim. One search in the lower-cased block tells whether any header stands in
it that needs a look (framing, hop-by-hop, identity); only then are lines looked at one by one and cut (core/fields.py).
Framing that is right but oddly spelt goes on in its plainest spelling.
Whatever two readers could read differently is refused, never repaired: both length and chunked, a repeated or odd
length, a coding other than chunked, bare CR, LF or NUL, folded lines, space before a colon, a repeated Host, and
underscore twins of framing headers (a CGI-like app reads `Content_Length` as `Content-Length`).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from router import COMPILED
from router.core.body import NO_BODY, UNTIL_CLOSE
from router.core.errors import (
    BAD_HOST,
    BAD_REQUEST,
    HEAD_TOO_LARGE,
    METHOD_REFUSED,
    TARGET_TOO_LONG,
    UPSTREAM_INVALID,
    VERSION_UNSUPPORTED,
    Refused,
)
from router.core.fields import (
    DIGITS,
    NOBODY,
    REQUEST_SPECIAL,
    RESPONSE_RARE,
    TOKEN,
    look_at_request,
    look_at_response,
)
from router.core.host import canonical

scan_request: Callable[[bytes], RequestHead | None] | None = None
scan_response: Callable[[bytes], ResponseHead | None] | None = None
if COMPILED:
    from router.core import scan

    scan_request, scan_response = scan.scan_request, scan.scan_response

MAX_HEAD: Final = 32768
MAX_TARGET: Final = 16384
_MAX_LINE: Final = MAX_TARGET + 64

_FIELDS: Final = rb"(\r\n(?:" + TOKEN + rb"+:[\t\x20-\x7e\x80-\xff]*\r\n)*)\r\n"
_REQUEST: Final = re.compile(rb"(" + TOKEN + rb"{1,20}) ([\x21\x22\x24-\x7e]+) HTTP/1\.([01])" + _FIELDS).match
_RESPONSE: Final = re.compile(rb"HTTP/1\.([01]) ([1-5][0-9][0-9]) [\t\x20-\x7e\x80-\xff]*" + _FIELDS).match
_UNSPACED: Final = re.compile(rb"HTTP/1\.[01] [1-5][0-9][0-9]\r\n").match
_METHOD: Final = re.compile(TOKEN + rb"{1,20} ").match
_REQUEST_LINE: Final = re.compile(TOKEN + rb"{1,20} [\x21\x22\x24-\x7e]+ HTTP/1\.[01]").fullmatch
_OTHER_VERSION: Final = re.compile(rb"[!-~]+ [!-~]+ HTTP/[0-9]\.[0-9](?<!1\.[01])").fullmatch
_ABSOLUTE: Final = re.compile(rb"(?i:https?)://([^/?@]+)(/[^?]*)?(\?.*)?", re.DOTALL).fullmatch
_ILLEGAL: Final = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|(?<!\r)\n|\r[^\n]").search
_SLASH: Final = 47
_KEPT: Final = b"\nconnection: keep-alive\r\n"
_ODD_METHODS: Final = frozenset((b"CONNECT", b"TRACE", b"OPTIONS"))
_MAX_FORWARDS: Final = re.compile(rb"(?im)^max-forwards:[^\r]*\r\n").sub


class RequestHead:
    """A request head that was found good.

    Attributes:
        method, target: as sent; the target in origin form (or `*`).
        host: lower-case authority, possibly with a port; b"" when an HTTP/1.0 client sent none.
        minor: 0 or 1, of HTTP/1.x.
        length: bytes of the body, or CHUNKED.
        keep: the client wants to go on with this connection.
        expects: it waits for 100 (Continue) before the body.
        upgrade: the protocol that it asks for, or b"".
        final: it may be forwarded no further (Max-Forwards: 0), so the router answers it.
        forwarded_for, forwarded_proto, connecting_ip, request_id: what the client claimed, or b""; the caller decides
            over trust (connecting_ip is Cloudflare's CF-Connecting-IP).
        traceparent: as sent and forwarded, or b"".
        plain: nothing in it needed a look but its framing and Connection.
        lines: request line and header lines to forward, each with CRLF, without the empty line.
        end: bytes of the head in the data, the empty line included.
    """

    __slots__ = (
        "connecting_ip",
        "end",
        "expects",
        "final",
        "forwarded_for",
        "forwarded_proto",
        "host",
        "keep",
        "length",
        "lines",
        "method",
        "minor",
        "plain",
        "request_id",
        "target",
        "traceparent",
        "upgrade",
    )

    def __init__(self, method: bytes, target: bytes, minor: int, host: bytes, lines: bytes, end: int) -> None:
        self.method = method
        self.target = target
        self.minor = minor
        self.host = host
        self.lines = lines
        self.end = end
        self.length = NO_BODY
        self.keep = True
        self.plain = True
        self.expects = False
        self.final = False
        self.upgrade = b""
        self.forwarded_for = b""
        self.forwarded_proto = b""
        self.connecting_ip = b""
        self.request_id = b""
        self.traceparent = b""

    def header(self, name: bytes) -> bytes:
        """The first value of a forwarded header, b"" when absent.

        Args:
            name: lower case.
        """
        lines = self.lines
        at = lines.lower().find(b"\n" + name + b":")
        return b"" if at < 0 else lines[at + len(name) + 2 : lines.find(b"\r", at)].strip(b" \t")


class ResponseHead:
    """A response head that was found good.

    Attributes:
        status: 100 to 599.
        length: bytes of the body, CHUNKED or UNTIL_CLOSE, as the header says (a HEAD's or a 304's has none).
        keep: the upstream wants to go on with its connection.
        dated: it has a Date.
        upgrade: the protocol of a 101.
        idle_s: for how long the upstream keeps an idle connection, when it says so; else 0.
        lines, end: as in RequestHead.
    """

    __slots__ = ("dated", "end", "idle_s", "keep", "length", "lines", "status", "upgrade")

    def __init__(self, status: int, length: int, keep: bool, dated: bool, lines: bytes, end: int) -> None:
        self.status = status
        self.length = length
        self.keep = keep
        self.dated = dated
        self.lines = lines
        self.end = end
        self.upgrade = b""
        self.idle_s = 0


def read_request(data: bytes, trusted: int = NOBODY) -> RequestHead | None:
    """Reads a request head from the beginning of the data.

    Args:
        trusted: how far the peer's word on the client's identity is kept: NOBODY, CLOUDFLARE or PROXY.

    Returns:
        The head, or None while it is incomplete.

    Raises:
        Refused: what is wrong with it; the connection is good for an answer and nothing else.
    """
    if scan_request is not None:
        plain = scan_request(data)
        if plain is not None:
            return plain
    match = _REQUEST(data)
    if match is None:
        _refuse_request(data)
        return None
    method, target, version, block = match.groups()
    end = match.end()
    if end > MAX_TARGET:
        _check_size(target, end)
    low = block.lower()
    at = low.find(b"\nhost:")
    host = b""
    if at >= 0:
        stop = low.find(b"\r", at)
        host = low[at + 6 : stop].strip(b" \t")
        if low.find(b"\nhost:", stop) >= 0:
            raise Refused(BAD_HOST, "there is more than one Host header")
    if not host and version == b"1":
        raise Refused(BAD_HOST, "there is no Host header")
    head = RequestHead(method, target, 1, host, data[: end - 2], end)
    if version == b"0" or REQUEST_SPECIAL.search(low) is not None:
        look_at_request(head, low, match.start(4), version == b"1", trusted)
    if target[0] != _SLASH or method in _ODD_METHODS:
        _look_at_target(head)
    return head


def read_response(data: bytes) -> ResponseHead | None:
    """Reads a response head from the beginning of the data; None while it is incomplete.

    Raises:
        Refused: UPSTREAM_INVALID.
    """
    if scan_response is not None:
        plain = scan_response(data)
        if plain is not None:
            return plain
    match = _RESPONSE(data)
    if match is None:
        if _UNSPACED(data):
            return _read_unspaced(data)
        _refuse_response(data)
        return None
    version, status, block = match.groups()
    end = match.end()
    if end > MAX_HEAD:
        raise Refused(UPSTREAM_INVALID, f"the app's head has more than {MAX_HEAD} bytes")
    low = block.lower()
    dated = low.find(b"\ndate:") >= 0
    lines = data[: end - 2]
    rare = RESPONSE_RARE(low)
    if rare is not None and low.startswith(_KEPT, rare.start()):  # as nginx says with every answer
        start = match.start(3) + rare.start() + 1
        lines = data[:start] + data[start + len(_KEPT) - 1 : end - 2]
        rare = RESPONSE_RARE(low, rare.end())
    if rare is None and version == b"1" and status >= b"200" and status != b"204":
        return ResponseHead(int(status), _length(low), True, dated, lines, end)
    head = ResponseHead(int(status), UNTIL_CLOSE, version == b"1", dated, data[: end - 2], end)
    look_at_response(head, low, match.start(3), version == b"1")
    return head


def _read_unspaced(data: bytes) -> ResponseHead | None:
    """A status line without a reason whose last space is missing, too: sent on with it (RFC 9112, section 4)."""
    head = read_response(data[:12] + b" " + data[12:])
    if head is not None:
        head.end -= 1
    return head


def _length(low: bytes) -> int:
    """What Content-Length says, where no other header frames the answer."""
    at = low.find(b"\ncontent-length:")
    if at < 0:
        return UNTIL_CLOSE
    stop = low.find(b"\r", at)
    digits = low[at + 16 : stop].strip(b" \t")
    if DIGITS(digits) is None or low.find(b"\ncontent-length:", stop) >= 0:
        raise Refused(UPSTREAM_INVALID, "the app's Content-Length is odd or repeated")
    return int(digits)


def illegal(data: bytes | bytearray, start: int) -> bool:
    """Whether a head that is still incomplete can no longer become a good one (a stray control octet or line end)."""
    return _ILLEGAL(data, max(0, start - 1)) is not None


def _refuse_request(data: bytes) -> None:
    """Raises unless the head is merely incomplete. The first fault counts, so that no split changes the verdict."""
    end = data.find(b"\r\n\r\n") + 4
    whole = end >= 4
    odd = _ILLEGAL(data, 0, end if whole else len(data))
    good = odd.start() if odd else end if whole else len(data)
    line, found, _ = data.partition(b"\r\n")
    if good > _MAX_LINE and len(line) > _MAX_LINE:
        if _METHOD(line) is None:
            raise Refused(BAD_REQUEST, "the request line is malformed")
        raise Refused(TARGET_TOO_LONG, f"the request line has more than {MAX_TARGET} bytes")
    if good > MAX_HEAD:
        raise Refused(HEAD_TOO_LARGE, f"the head has more than {MAX_HEAD} bytes")
    if odd:
        raise Refused(BAD_REQUEST, "the head has a control character or a bare line end")
    if not whole:
        return
    if found and _OTHER_VERSION(line):
        raise Refused(VERSION_UNSUPPORTED, "only HTTP/1.0 and HTTP/1.1 are spoken here")
    if _REQUEST_LINE(line) is None:
        raise Refused(BAD_REQUEST, "the request line is malformed")
    raise Refused(BAD_REQUEST, "a header line is malformed")


def _refuse_response(data: bytes) -> None:
    if b"\r\n\r\n" in data or len(data) > MAX_HEAD or illegal(data, 0) or not b"HTTP/1.".startswith(data[:7]):
        raise Refused(UPSTREAM_INVALID, "the app's answer has a malformed head")


def _check_size(target: bytes, end: int) -> None:
    if len(target) > MAX_TARGET:
        raise Refused(TARGET_TOO_LONG, f"the request target has more than {MAX_TARGET} bytes")
    if end > MAX_HEAD:
        raise Refused(HEAD_TOO_LARGE, f"the head has more than {MAX_HEAD} bytes")


def _look_at_target(head: RequestHead) -> None:
    """Targets that are not plain paths: `*`, the absolute form, and what is refused."""
    method, target = head.method, head.target
    if method in (b"CONNECT", b"TRACE"):
        raise Refused(METHOD_REFUSED, f"{method.decode()} is not served here")
    if method == b"OPTIONS":
        _count_hops(head)
        if target[0] == _SLASH or target == b"*":
            return
    match = _ABSOLUTE(target)
    if match is None:
        raise Refused(BAD_REQUEST, "the request target is malformed")
    authority, path, query = match[1], match[2] or b"", match[3] or b""
    if not path:
        path = b"*" if method == b"OPTIONS" and not query else b"/"
    if head.host and canonical(head.host) is None:
        raise Refused(BAD_HOST, "the Host header is not a host")
    # The target's authority counts, whatever Host says (RFC 9112, section 3.2.2).
    rest = re.sub(rb"(?im)^host:[^\r]*\r\n", b"", head.lines.partition(b"\r\n")[2])
    head.host, head.target = authority.lower(), path + query
    head.lines = method + b" " + head.target + b" HTTP/1.1\r\nHost: " + authority + b"\r\n" + rest


def _count_hops(head: RequestHead) -> None:
    """Max-Forwards, which an intermediary obeys for OPTIONS (RFC 9110, section 7.6.2)."""
    value = head.header(b"max-forwards")
    if DIGITS(value):
        head.final = int(value) == 0
        left = max(0, int(value) - 1)
        head.lines = _MAX_FORWARDS(b"", head.lines) + b"Max-Forwards: %d\r\n" % left
