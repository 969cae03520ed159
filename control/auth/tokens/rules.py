"""What a token may be. Pure.

A token is cut down from what its maker may do: never to more than that, nor for longer than the token that made it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from kernel.authority import Permission, Principal, Role
from kernel.errors import define

TOKEN_NAME_INVALID = define("TOKEN_NAME_INVALID", source="client", status=422, hint="use 1 to 100 printable characters")
TOKEN_SCOPES_INVALID = define(
    "TOKEN_SCOPES_INVALID",
    source="client",
    status=422,
    hint="give one permission or more (docs/roles.md), or leave scopes out for all that its maker may do",
)
TOKEN_EXPIRY_INVALID = define(
    "TOKEN_EXPIRY_INVALID", source="client", status=422, hint="give a time within a year from now, or leave it out"
)
TOKEN_TOO_WIDE = define(
    "TOKEN_TOO_WIDE", source="client", status=403, hint="ask for less, or sign in and make it as yourself"
)
NAME_LENGTH: Final = 100
LONGEST: Final = timedelta(days=366)


@dataclass(frozen=True, slots=True)
class Wanted:
    """A token that somebody wants.

    Attributes:
        scopes: permissions; None is all that its account, or its role, may do.
        expires_at: None is never.
        project_id: the one project that it is good for; "" is any.
        team_id: the project's.
        role: on the project, for a token that belongs to no account.
    """

    name: str
    scopes: frozenset[str] | None = None
    expires_at: datetime | None = None
    project_id: str = ""
    team_id: str = ""
    role: Role | None = None


def check(wanted: Wanted, now: datetime) -> None:
    """Refuses what means nothing.

    Raises:
        ShipoffError: TOKEN_NAME_INVALID, TOKEN_SCOPES_INVALID or TOKEN_EXPIRY_INVALID.
    """
    if not wanted.name.isprintable() or not 0 < len(wanted.name) <= NAME_LENGTH:
        raise TOKEN_NAME_INVALID(f"{wanted.name[:NAME_LENGTH]!r} cannot name a token")
    if wanted.scopes is not None:
        unknown = sorted(wanted.scopes - set(Permission))
        if unknown or not wanted.scopes:
            raise TOKEN_SCOPES_INVALID(f"no permission: {unknown[0][:40]!r}" if unknown else "there are no scopes")
    if wanted.expires_at is not None and not now < wanted.expires_at <= now + LONGEST:
        raise TOKEN_EXPIRY_INVALID("expires_at is past, or more than a year ahead")


def check_within(wanted: Wanted, who: Principal, ends: datetime | None) -> None:
    """Refuses a token that could do more than its maker.

    Args:
        who: makes it; a session has no bounds here.
        ends: when the token that makes it expires; None is never.

    Raises:
        ShipoffError: TOKEN_TOO_WIDE.
    """
    if who.scopes is not None and not (wanted.scopes is not None and wanted.scopes <= who.scopes):
        raise TOKEN_TOO_WIDE("it would have scopes that its maker has not")
    if who.only_project and wanted.project_id != who.only_project:
        raise TOKEN_TOO_WIDE("it would be good for more than its maker's project")
    if ends is not None and (wanted.expires_at is None or wanted.expires_at > ends):
        raise TOKEN_TOO_WIDE("it would outlive its maker")
