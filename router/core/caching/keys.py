"""Under which key an answer is kept: project, release, scheme, host, target, and what the route's rule adds.

The project keeps tenants apart, the release keeps a new version from serving pages of the one before it (which thereby
age out by themselves), the scheme keeps a redirect to https from being answered to https. Host and target count as the
client sent them, but for spellings that RFC 3986, section 6.2.2, declares equal.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from router.core.caching.rule import CacheRule

_MOST_NAMES: Final = 16
_ABSENT: Final = b"\x01"
_ESCAPE: Final = re.compile(rb"%([0-9A-Fa-f]{2})")
_UNRESERVED: Final = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
# Fields that the router makes or that differ with every request: an answer that varies by them is nobody else's.
_OURS: Final = frozenset(
    b"x-forwarded-for forwarded x-real-ip x-request-id cf-connecting-ip true-client-ip traceparent via".split()
)
# Lists whose members mean the same in any case, and those whose order means nothing either.
_ANY_CASE: Final = frozenset((b"accept", b"accept-charset", b"accept-encoding", b"accept-language"))
_ANY_ORDER: Final = frozenset((b"accept-encoding",))


def normal_target(target: bytes, rule: CacheRule) -> bytes:
    """The target as it stands in keys."""
    if b"%" in target:
        target = _ESCAPE.sub(_unescaped, target)
    if rule.query_ignore is None and rule.query_keep is None and not rule.query_sort:
        return target
    path, mark, query = target.partition(b"?")
    if not mark:
        return target
    parts = [part for part in query.split(b"&") if _counts(part.partition(b"=")[0], rule)]
    if rule.query_sort:
        parts.sort()
    return path + b"?" + b"&".join(parts) if parts else path


def url_of(host: bytes, target: bytes, rule: CacheRule) -> bytes:
    """What is purged and invalidated together: every answer that is kept for a URL.

    Args:
        host: without a port.
    """
    return host + b"\0" + normal_target(target, rule)


def primary_key(owner: bytes, host: bytes, url: bytes, rule: CacheRule, lines: bytes) -> bytes:
    """The key but for what Vary adds.

    Args:
        owner: project, release and scheme, each ended by a zero octet.
        host: as the client sent it, with a port: an app may build addresses from it.
        lines: the request's head.
    """
    key = b"".join((owner, host, b"\0", url))
    if rule.headers or rule.cookies:
        parts = [_value(lines, name) for name in rule.headers]
        cookies = _value(lines, b"cookie") if rule.cookies else b""
        parts += [_cookie(cookies, name) for name in rule.cookies]
        key = b"\0".join((key, *parts))
    return key


def vary_names(values: list[bytes]) -> tuple[bytes, ...] | None:
    """The names in Vary, sorted; None when no other request can be matched (RFC 9111, section 4.1)."""
    names = {name.strip(b" \t").lower() for value in values for name in value.split(b",")} - {b""}
    if b"*" in names or names & _OURS or len(names) > _MOST_NAMES:
        return None
    return tuple(sorted(names))


def variant(names: tuple[bytes, ...], lines: bytes) -> bytes:
    """What a request says under these names, so that equal texts match (section 4.1)."""
    return b"\0".join([name + b":" + _normal(name, _value(lines, name)) for name in names])


def _unescaped(match: re.Match[bytes]) -> bytes:
    octet = int(match[1], 16)
    return bytes((octet,)) if octet in _UNRESERVED else match[0].upper()


def _counts(name: bytes, rule: CacheRule) -> bool:
    if rule.query_keep is not None and rule.query_keep.fullmatch(name) is None:
        return False
    return rule.query_ignore is None or rule.query_ignore.fullmatch(name) is None


@lru_cache(1024)
def _finder(name: bytes) -> re.Pattern[bytes]:
    return re.compile(rb"(?i)\n" + re.escape(name) + rb":[ \t]*([^\r\n]*)")


def _value(lines: bytes, name: bytes) -> bytes:
    """All values of a header, joined; a mark of its own when the header is absent."""
    values = _finder(name).findall(lines)
    return b",".join(value.rstrip(b" \t") for value in values) if values else _ABSENT


def _cookie(cookies: bytes, name: bytes) -> bytes:
    for pair in cookies.split(b";"):
        found, mark, value = pair.strip(b" \t").partition(b"=")
        if mark and found == name:
            return value
    return _ABSENT


def _normal(name: bytes, value: bytes) -> bytes:
    parts = [part.strip(b" \t") for part in value.split(b",")]
    if name in _ANY_CASE:
        parts = [part.lower().replace(b" ", b"").replace(b"\t", b"") for part in parts]
    if name in _ANY_ORDER:
        parts.sort()
    return b",".join(parts)
