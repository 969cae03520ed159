"""Cache-Control, and CDN-Cache-Control beside it, read so that doubt means less caching (RFC 9111, section 5.2).

A list that cannot be read at all forbids storing. A lifetime that is not a whole number, or is given twice with two
values, is no lifetime (section 4.2.1: invalid freshness information is stale). Nothing here knows requests from
responses; whoever asks knows which directives mean something there.
"""

from __future__ import annotations

import re
from typing import Final

ABSENT: Final = -1
# A number too large to be held means "as long as can be" (section 1.2.2).
MOST_S: Final = 2**31

_QUOTED: Final = re.compile(rb'"(?:[^"\\]|\\.)*"')
_PARTS: Final = re.compile(rb'(?:[^,"]|"(?:[^"\\]|\\.)*")+')
_WHOLE: Final = re.compile(rb'(?:[0-9]+|"[0-9]+")').fullmatch
_NAMES: Final = re.compile(
    rb'"[ \t]*([!#$%&\'*+\-.^_`|~0-9A-Za-z]+(?:[ \t]*,[ \t]*[!#$%&\'*+\-.^_`|~0-9A-Za-z]+)*)[ \t]*"'
)
# A dictionary of structured fields (RFC 8941, section 3.2), as far as its members' values are items.
_ITEM: Final = (
    rb'(?:-?[0-9]{1,15}(?:\.[0-9]{1,3})?|"(?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\])*"|:[A-Za-z0-9+/=]*:|\?[01]'
    rb"|[A-Za-z*][!#$%&'*+\-.^_`|~0-9A-Za-z:/]*)"
)
_KEY: Final = rb"[a-z*][a-z0-9_.*-]*"
_MEMBER: Final = _KEY + rb"(?:=" + _ITEM + rb")?(?:;[ ]*" + _KEY + rb"(?:=" + _ITEM + rb")?)*"
_DICTIONARY: Final = re.compile(_MEMBER + rb"(?:[ \t]*,[ \t]*" + _MEMBER + rb")*").fullmatch
_PARAMETERS: Final = re.compile(rb';(?:[^"]|"(?:[^"\\]|\\.)*")*$')

_NUMBERS: Final = {
    b"max-age": "max_age",
    b"s-maxage": "s_maxage",
    b"stale-while-revalidate": "stale_while_revalidate",
    b"stale-if-error": "stale_if_error",
    b"min-fresh": "min_fresh",
}
_FLAGS: Final = {
    b"no-store": "no_store",
    b"public": "public",
    b"must-revalidate": "must_revalidate",
    b"proxy-revalidate": "proxy_revalidate",
    b"must-understand": "must_understand",
    b"only-if-cached": "only_if_cached",
}


class Directives:
    """The directives of one message. Seconds are ABSENT where the directive is.

    Attributes:
        no_cache, private: the directive without a list of fields.
        hidden: lower-case names of the fields that `no-cache` or `private` name: not to be kept.
        max_stale: MOST_S for any staleness.
    """

    __slots__ = (
        "hidden",
        "max_age",
        "max_stale",
        "min_fresh",
        "must_revalidate",
        "must_understand",
        "no_cache",
        "no_store",
        "only_if_cached",
        "private",
        "proxy_revalidate",
        "public",
        "s_maxage",
        "stale_if_error",
        "stale_while_revalidate",
    )

    def __init__(self, value: bytes = b"") -> None:
        self.max_age = self.s_maxage = self.max_stale = self.min_fresh = ABSENT
        self.stale_while_revalidate = self.stale_if_error = ABSENT
        self.must_revalidate = self.proxy_revalidate = self.must_understand = False
        self.no_cache = self.private = self.public = self.only_if_cached = False
        # A quote that never closes hides where directives end.
        self.no_store = b'"' in _QUOTED.sub(b"", value)
        self.hidden: frozenset[bytes] = frozenset()
        for part in _PARTS.findall(value):
            self._take(part.strip(b" \t"))

    @property
    def explicit(self) -> bool:
        """Whether it says for how long an answer is fresh."""
        return self.max_age != ABSENT or self.s_maxage != ABSENT

    def _take(self, part: bytes) -> None:
        name, _, argument = part.partition(b"=")
        name = name.rstrip(b" \t").lower() if not argument else name.lower()
        if (bare := name.rstrip(b" \t")) != name:
            name, argument = bare, b" "  # a space before "=" makes the argument unreadable, not the directive absent
        if name in _FLAGS:
            setattr(self, _FLAGS[name], True)
        elif name in _NUMBERS:
            self._take_number(_NUMBERS[name], argument)
        elif name == b"max-stale":
            self.max_stale = _seconds(argument) if argument else MOST_S
        elif name in (b"no-cache", b"private"):
            self._take_fields("no_cache" if name == b"no-cache" else "private", argument)

    def _take_number(self, slot: str, argument: bytes) -> None:
        seconds, before = _seconds(argument), getattr(self, slot)
        setattr(self, slot, seconds if before in (ABSENT, seconds) else 0)

    def _take_fields(self, slot: str, argument: bytes) -> None:
        match = _NAMES.fullmatch(argument)
        if match is None:
            setattr(self, slot, True)
        else:
            self.hidden |= {name.strip(b" \t").lower() for name in match[1].split(b",")}


def targeted(value: bytes) -> Directives | None:
    """The directives of a targeted field; None when it is empty or not a dictionary (RFC 9213, section 2.1)."""
    value = value.strip(b" \t")
    if not value or _DICTIONARY(value) is None:
        return None
    members: dict[bytes, bytes] = {}
    for part in _PARTS.findall(value):
        member = _PARAMETERS.sub(b"", part.strip(b" \t"))
        name, _, argument = member.partition(b"=")
        if argument == b"?0":
            members.pop(name, None)
        else:
            # A number in quotes is a text here, and no lifetime.
            odd = name in _NUMBERS and argument[:1] == b'"'
            members[name] = name + b"=?" if odd else member if argument != b"?1" else name  # the last one counts
    return Directives(b", ".join(members.values()))


def _seconds(argument: bytes) -> int:
    if _WHOLE(argument) is None:
        return 0
    digits = argument.strip(b'"').lstrip(b"0")
    return MOST_S if len(digits) > 10 else min(int(digits or b"0"), MOST_S)
