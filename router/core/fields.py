"""The header lines that need a look: framing, hop-by-hop, identity (the slower path of core/head.py).

`REQUEST_SPECIAL` and `RESPONSE_SPECIAL` find them in a lower-cased block of header lines; each is then taken to heart
by what stands for its name, which also says whether the line is cut from what is forwarded.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from kernel.errors import ErrorKind
from router.core.body import CHUNKED, NO_BODY
from router.core.errors import BAD_REQUEST, CODING_UNSUPPORTED, EXPECTATION_FAILED, UPSTREAM_INVALID, Refused

if TYPE_CHECKING:
    from router.core.head import RequestHead, ResponseHead

TOKEN: Final = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]"
# Names are written with [-_] where an app that maps "-" to "_" could be fooled by the twin.
_REQUEST_NAMES: Final = (
    rb"connection|content[-_]length|transfer[-_]encoding|te|upgrade|expect|keep[-_]alive|http2[-_]settings"
    rb"|proxy[-_](?:connection|authorization|authenticate)|x[-_]forwarded[-_](?:for|proto|host|port|prefix|ssl|server)"
    rb"|x[-_]real[-_]ip|x[-_]request[-_]id|forwarded|traceparent|cf[-_](?:connecting[-_]ip|ray)|true[-_]client[-_]ip|proxy"
)
_RESPONSE_NAMES: Final = (
    rb"connection|content-length|transfer-encoding|te|upgrade|keep-alive|proxy-(?:connection|authenticate)|x-request-id"
)
_VALUE: Final = rb"):[ \t]*([^\r]*)\r"
REQUEST_SPECIAL: Final = re.compile(rb"\n(" + _REQUEST_NAMES + _VALUE)
RESPONSE_SPECIAL: Final = re.compile(rb"\n(" + _RESPONSE_NAMES + _VALUE)
# The commonest answer has a length and nothing else that needs a look.
RESPONSE_RARE: Final = re.compile(rb"\n(?:" + _RESPONSE_NAMES.replace(rb"content-length|", b"") + rb"):").search

DIGITS: Final = re.compile(rb"[0-9]{1,18}").fullmatch
_OPTION: Final = re.compile(TOKEN + rb"+").fullmatch
_CODED_BENEATH: Final = re.compile(rb"(?:(?!chunked[ \t,])" + TOKEN + rb"+[ \t]*,[ \t]*)+chunked").fullmatch
_WANTS_TRAILERS: Final = b"TE: trailers\r\nConnection: TE\r\n"
_TRAILERS: Final = re.compile(rb"(?:^|,)[ \t]*trailers[ \t]*(?:,|$)").search
_KEEP_ALIVE_TIMEOUT: Final = re.compile(rb"timeout=([0-9]{1,6})").search
_REQUEST_ID: Final = re.compile(rb"[A-Za-z0-9_.:+/=-]{8,128}").fullmatch
# W3C Trace Context, section 3.2: version 00 is exactly this; a later one may add fields, and ff is none.
_IDS: Final = rb"-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}"
_TRACEPARENT: Final = re.compile(rb"00" + _IDS + rb"|(?!00|ff)[0-9a-f]{2}" + _IDS + rb"(?:-.*)?").fullmatch
_RAY: Final = re.compile(rb"[0-9a-f]{16}(?:-[A-Z]{3})?").fullmatch
# How far a peer's word on its client is kept: not at all; as Cloudflare, which passes on some headers as its clients
# sent them; or as a proxy of one's own. core/trust.py decides which one a peer is.
NOBODY, CLOUDFLARE, PROXY = range(3)
_NEVER_NAMED: Final = frozenset((b"host", b"content-length", b"transfer-encoding", b"content-type", b"authorization"))
_CONNECTION_OPTIONS: Final = frozenset((b"close", b"keep-alive", b"upgrade", b"te"))


class Framing:
    """What the framing headers of one message say, and the options of its Connection headers.

    Attributes:
        again: lines that are cut where they stand and written anew: framing that is right but oddly spelt, and TE.
    """

    __slots__ = ("_coded", "_kind", "_modern", "_whose", "again", "length", "options")

    def __init__(self, kind: ErrorKind, modern: bool, length: int) -> None:
        self._kind = kind
        self._whose = "the app's " if kind is UPSTREAM_INVALID else ""
        self._modern = modern
        self._coded: bool | None = None
        self.again = b""
        self.length = length
        self.options: list[bytes] = []

    def take(self, name: bytes, value: bytes, spelt: bytes) -> bool:
        """A request's Content-Length or Transfer-Encoding; tells whether its line is cut, to be written anew.

        Args:
            spelt: the line from the colon on, as sent.
        """
        plain = self.take_length(value) if name == b"content-length" else self.take_coding(value)
        if spelt == plain[len(name) :]:
            return False
        self.again += plain  # right, but an app that reads a tab, zeros or capitals otherwise would be out of step
        return True

    def take_option(self, name: bytes, value: bytes) -> bool:
        """A request's Connection or TE, whose lines are always cut."""
        if name == b"connection":
            self.take_options(value)
        elif _TRAILERS(value) and not self.again.endswith(_WANTS_TRAILERS):
            self.again += _WANTS_TRAILERS  # we pass them on, so the client's wish holds for both hops
        return True

    def take_length(self, value: bytes) -> bytes:
        """A Content-Length: one, of digits only, and no coding beside it; returns its plainest spelling."""
        if self._coded is not None or DIGITS(value) is None:
            raise Refused(self._kind, f"{self._whose}Content-Length is odd, repeated or beside a Transfer-Encoding")
        self._coded = False
        self.length = int(value)
        return b"Content-Length: %d\r\n" % self.length

    def take_coding(self, value: bytes) -> bytes:
        """A Transfer-Encoding: one, exactly chunked, in HTTP/1.1, no length beside it; returns it spelt plainly."""
        if self._coded is None and self._modern and self._kind is BAD_REQUEST and _CODED_BENEATH(value):
            raise Refused(CODING_UNSUPPORTED, "the body has a transfer coding that is not known here")
        if self._coded is not None or value != b"chunked" or not self._modern:
            raise Refused(self._kind, f"{self._whose}Transfer-Encoding is not exactly chunked, once and alone")
        self._coded = True
        self.length = CHUNKED
        return b"Transfer-Encoding: chunked\r\n"

    def take_options(self, value: bytes) -> None:
        """A Connection header."""
        self.options += [option.strip(b" \t") for option in value.split(b",")]

    def obey(self, head: RequestHead | ResponseHead) -> set[bytes]:
        """Takes the options to heart (RFC 9110, section 7.6.1); returns the headers that they name."""
        head.length = self.length
        named = set()
        if b"keep-alive" in self.options:
            head.keep = True
        if b"close" in self.options:
            head.keep = False
        for option in self.options:
            if option in _NEVER_NAMED or (option and _OPTION(option) is None):
                raise Refused(self._kind, f"{self._whose}Connection names a header that is not a connection's")
            if option and option not in _CONNECTION_OPTIONS:
                named.add(option)
        return named


def look_at_request(head: RequestHead, low: bytes, offset: int, modern: bool, trusted: int) -> None:
    """Takes to heart what the special lines of a request say, and cuts those that end here.

    Args:
        head: completed in place.
        low: the block of header lines in lower case, from the CRLF of the request line on.
        offset: where the block begins in head.lines.
        modern: HTTP/1.1.
        trusted: NOBODY, CLOUDFLARE or PROXY.

    Raises:
        Refused: it can be read in two ways.
    """
    head.keep = modern
    head.minor = 1 if modern else 0
    framing = Framing(BAD_REQUEST, modern, NO_BODY)
    cuts = []
    for match in REQUEST_SPECIAL.finditer(low):
        sent, value = match[1], match[2].rstrip(b" \t")
        name = sent.replace(b"_", b"-")
        start = offset + match.start(2)
        raw = head.lines[start : start + len(value)]
        if name == b"content-length" or name == b"transfer-encoding":
            if name != sent:
                raise Refused(BAD_REQUEST, "a header looks like one that frames the message")
            cut = framing.take(name, value, head.lines[offset + match.end(1) : offset + match.end() + 1])
        elif name == b"connection" or name == b"te":
            cut = framing.take_option(name, value)
        else:
            head.plain = False
            cut = name != sent or _CLAIMS.get(name, _cut)(head, raw, trusted)
        if cut:
            cuts.append((offset + match.start() + 1, offset + match.end() + 1))
    head.lines = without(head.lines, cuts, framing.obey(head)) + framing.again
    if not modern:
        head.lines = head.lines.replace(b" HTTP/1.0\r\n", b" HTTP/1.1\r\n", 1)
    # h2c is never forwarded: it would take later requests out of our sight (RFC 9113, section 3.1, withdrew it).
    if b"upgrade" not in framing.options or head.length != NO_BODY or not modern or b"h2c" in head.upgrade.lower():
        head.upgrade = b""


def look_at_response(head: ResponseHead, low: bytes, offset: int, modern: bool) -> None:
    """The same for an answer.

    Args:
        head: completed in place.
        low: the block of header lines in lower case, from the CRLF of the status line on.
        offset: where the block begins in head.lines.
        modern: HTTP/1.1.

    Raises:
        Refused: UPSTREAM_INVALID.
    """
    bodiless = head.status < 200 or head.status == 204
    framing = Framing(UPSTREAM_INVALID, modern, head.length)
    cuts = []
    for match in RESPONSE_SPECIAL.finditer(low):
        name, value = match[1], match[2].rstrip(b" \t")
        cut = True
        if name == b"content-length" or name == b"transfer-encoding":
            framing.take_length(value) if name == b"content-length" else framing.take_coding(value)
            cut = bodiless
        elif name == b"connection":
            framing.take_options(value)
        elif name == b"upgrade":
            head.upgrade = value
        elif name == b"keep-alive" and (seconds := _KEEP_ALIVE_TIMEOUT(value)):
            head.idle_s = int(seconds[1])
        if cut:
            cuts.append((offset + match.start() + 1, offset + match.end() + 1))
    named = framing.obey(head)
    if b"date" in named:
        head.dated = False
    head.lines = without(head.lines, cuts, named)
    if head.status == 426 and head.upgrade:  # RFC 9110, section 15.5.22: it says to what
        head.lines += b"Upgrade: " + head.upgrade + b"\r\nConnection: upgrade\r\n"
    if not modern:
        head.lines = b"HTTP/1.1" + head.lines[8:]


def without(lines: bytes, cuts: list[tuple[int, int]], named: set[bytes]) -> bytes:
    """The lines without the cut spans (in order) and without the headers that are named; the first line stays."""
    at, parts = 0, []
    for start, stop in cuts:
        parts.append(lines[at:start])
        at = stop
    parts.append(lines[at:])
    lines = b"".join(parts)
    if named:
        first, *fields = lines.split(b"\r\n")
        # One pass, however many are named: a head of 32 KB can name thousands.
        kept = [line for line in fields if line.partition(b":")[0].lower() not in named]
        lines = b"\r\n".join((first, *kept))
    return lines


# What a client may claim, by name: (head, value as sent, how far the peer is trusted) -> whether the line is cut.
_Claim = Callable[["RequestHead", bytes, int], bool]


def _cut(head: RequestHead, raw: bytes, trusted: int) -> bool:
    return True


def _upgrade(head: RequestHead, raw: bytes, trusted: int) -> bool:
    head.upgrade = raw
    return True


def _expect(head: RequestHead, raw: bytes, trusted: int) -> bool:
    if raw.lower() != b"100-continue":
        raise Refused(EXPECTATION_FAILED, "only 100-continue can be expected")
    head.expects = head.minor == 1
    return not head.expects


def _forwarded_for(head: RequestHead, raw: bytes, trusted: int) -> bool:
    head.forwarded_for += (b", " if head.forwarded_for else b"") + raw
    return True


def _forwarded_proto(head: RequestHead, raw: bytes, trusted: int) -> bool:
    head.forwarded_proto = raw.lower()
    return True


def _request_id(head: RequestHead, raw: bytes, trusted: int) -> bool:
    if _REQUEST_ID(raw):
        head.request_id = raw
    return True


def _traceparent(head: RequestHead, raw: bytes, trusted: int) -> bool:
    if head.traceparent or _TRACEPARENT(raw) is None:
        return True
    head.traceparent = raw
    return False


def _ray(head: RequestHead, raw: bytes, trusted: int) -> bool:
    """Names the request where nothing else does; Cloudflare's own log has it under this name too."""
    if trusted and not head.request_id and _RAY(raw):
        head.request_id = raw
    return False


def _connecting_ip(head: RequestHead, raw: bytes, trusted: int) -> bool:
    """Cut from everybody; core/trust.py writes the one that it believes."""
    head.connecting_ip += (b", " if head.connecting_ip else b"") + raw
    return True


def _identity(head: RequestHead, raw: bytes, trusted: int) -> bool:
    return trusted != PROXY


_CLAIMS: Final[dict[bytes, _Claim]] = {
    b"upgrade": _upgrade,
    b"expect": _expect,
    b"x-forwarded-for": _forwarded_for,
    b"x-forwarded-proto": _forwarded_proto,
    b"x-request-id": _request_id,
    b"traceparent": _traceparent,
    b"x-real-ip": _identity,
    b"forwarded": _identity,
    b"cf-connecting-ip": _connecting_ip,
    b"cf-ray": _ray,
    b"true-client-ip": _identity,
}
