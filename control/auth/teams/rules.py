"""What a team may be called. Pure; refuses, never repairs."""

from __future__ import annotations

import re
from typing import Final

from kernel.errors import define

TEAM_NAME_INVALID = define(
    "TEAM_NAME_INVALID", source="client", status=422, hint="use 1 to 80 printable characters, no space first or last"
)
TEAM_SLUG_INVALID = define(
    "TEAM_SLUG_INVALID",
    source="client",
    status=422,
    hint="use 2 to 40 lower-case letters, digits and single hyphens, none first or last",
)
TEAM_SLUG_RESERVED = define("TEAM_SLUG_RESERVED", source="client", status=422, hint="choose another slug")

NAME_LENGTH: Final = 80
_SLUG: Final = re.compile(r"[a-z0-9](?:[a-z0-9]|-(?!-)){0,38}[a-z0-9]")
# Words that a slug may come to stand beside in an address, and names that could be taken for the platform's own.
_RESERVED_WORDS: Final = (
    "about account accounts admin api auth billing blog dashboard docs help home internal invitations invite join "
    "legal login logout me mail new official owner pricing projects register root search security settings shipoff "
    "signup staff status support system team teams terms tokens undefined null webhooks www"
)
RESERVED: Final = frozenset(_RESERVED_WORDS.split())
PERSONAL: Final = "u-"  # begins the slugs of personal teams, which are made of the account's id


def check_name(name: str) -> None:
    """Refuses what can't be shown as a team's name.

    Raises:
        ShipoffError: TEAM_NAME_INVALID.
    """
    if not 0 < len(name) <= NAME_LENGTH or not name.isprintable() or name != name.strip():
        raise TEAM_NAME_INVALID(f"{name[:NAME_LENGTH]!r} cannot name a team")


def check_slug(slug: str) -> None:
    """Refuses what can't stand in an address, and what is not for teams.

    Raises:
        ShipoffError: TEAM_SLUG_INVALID or TEAM_SLUG_RESERVED.
    """
    if not _SLUG.fullmatch(slug):
        raise TEAM_SLUG_INVALID(f"{slug[:80]!r} cannot be a team's slug")
    if slug in RESERVED or slug.startswith(PERSONAL):
        raise TEAM_SLUG_RESERVED(f"{slug!r} is reserved")
