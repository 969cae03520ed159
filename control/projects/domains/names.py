"""What a domain's name may be, and its one form. Pure.

Names are compared in their A-label form (IDNA 2008, RFC 5891) in lower case, without the root dot; that is also the
form in which the router's table has them. Refused is what can't be a host of somebody's on the public internet:
addresses, single labels, names of special use (RFC 6761), and whatever belongs to the platform.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

import idna

from kernel.errors import define

DOMAIN_INVALID = define(
    "DOMAIN_INVALID",
    source="client",
    status=422,
    hint="a domain is a host's name such as www.example.org or *.example.org, without scheme, port or path",
)
DOMAIN_RESERVED = define(
    "DOMAIN_RESERVED", source="client", status=422, hint="add a domain of your own; the platform's come by themselves"
)
WILDCARD: Final = "*."
VERIFICATION_LABEL: Final = "_shipoff"
# RFC 1035, section 2.3.4: 253 characters at most, here with the label of the TXT record before it.
LONGEST: Final = 253 - len(VERIFICATION_LABEL) - 1
TYPED: Final = 400  # characters that are looked at, at most: what is mapped may be shorter than what was typed
_SPECIAL: Final = frozenset(
    ("alt", "arpa", "home", "internal", "invalid", "lan", "local", "localdomain", "localhost", "onion")
)
# What resolvers and browsers read as an IPv4 address: https://url.spec.whatwg.org/#ends-in-a-number-checker
_NUMBER: Final = re.compile(r"[0-9]+|0x[0-9a-f]*")


def normalise(text: str, platform: Sequence[str]) -> str:
    """The one form of a domain's name.

    Args:
        text: as somebody typed it; may be Unicode, a wildcard, and end in the root dot.
        platform: the platform's own domains, normalised; they and all below them are refused.

    Raises:
        ShipoffError: DOMAIN_INVALID, DOMAIN_RESERVED.
    """
    typed = text.strip()
    if len(typed) > TYPED:
        raise DOMAIN_INVALID(f"a name of {len(typed)} characters is too long")
    wild = typed.startswith(WILDCARD)
    base = _encoded(typed.removeprefix(WILDCARD), typed)
    labels = base.split(".")
    if len(labels) < 2:
        raise DOMAIN_INVALID(f"{_shown(typed)} has one label; nobody can own a whole top-level domain")
    if _NUMBER.fullmatch(labels[-1]):
        raise DOMAIN_INVALID(f"{_shown(typed)} is an address, not a name")
    if len(base) > LONGEST:
        raise DOMAIN_INVALID(f"{_shown(typed)} has more than {LONGEST} characters")
    if labels[-1] in _SPECIAL:
        raise DOMAIN_RESERVED(f".{labels[-1]} is of special use and never on the public internet")
    for own in platform:
        if base == own or base.endswith(f".{own}") or (wild and own.endswith(f".{base}")):
            raise DOMAIN_RESERVED(f"{_shown(typed)} belongs to the platform's own domain {own}")
    return WILDCARD + base if wild else base


def base_of(name: str) -> str:
    """The name that is to be proven: of a wildcard, what it stands below."""
    return name.removeprefix(WILDCARD)


def is_wildcard(name: str) -> bool:
    """Whether a normalised name is a wildcard."""
    return name.startswith(WILDCARD)


def covering(name: str) -> list[str]:
    """The wildcards that a normalised name lies below, the nearest first."""
    labels = base_of(name).split(".")
    return [WILDCARD + ".".join(labels[at:]) for at in range(1, len(labels) - 1)]


def unicode_of(name: str) -> str:
    """A normalised name as people read it."""
    wild, base = name[: len(WILDCARD)] if is_wildcard(name) else "", base_of(name)
    return wild + idna.decode(base)


def _encoded(base: str, typed: str) -> str:
    try:
        # UTS 46 maps letter case, width and the ideographic full stops before IDNA 2008 judges.
        return idna.encode(base, uts46=True, std3_rules=True).decode().lower().removesuffix(".")
    except (idna.IDNAError, UnicodeError) as error:
        raise DOMAIN_INVALID(f"{_shown(typed)} is no host name: {error}") from error


def _shown(typed: str) -> str:
    return ascii(typed[:80])
