"""How much of everything an account and a team may have: passports name all memberships, and lists have no pages."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Self

from control.auth.settings import AuthSettings
from kernel.errors import define

LIMIT_REACHED = define(
    "LIMIT_REACHED", source="client", status=409, hint="delete what is no longer needed, or ask the platform's operator"
)


@dataclass(frozen=True, slots=True)
class Limits:
    """The operator's limits (settings.py).

    Attributes:
        teams_per_account: memberships, the personal team among them.
        roles_per_account: roles on single projects.
        members_per_team: also of a project's roles.
        invitations_per_team: that are open.
        tokens_per_account: also of a project.
        invitation_days: for which an invitation is good.
    """

    teams_per_account: int = 100
    roles_per_account: int = 300
    members_per_team: int = 200
    invitations_per_team: int = 100
    tokens_per_account: int = 100
    invitation_days: int = 7

    @classmethod
    def of(cls, settings: AuthSettings) -> Self:
        """Those that the operator set."""
        return cls(**{field.name: getattr(settings, field.name) for field in fields(cls)})


def check(count: int, most: int, what: str) -> None:
    """Refuses one more than there may be.

    Args:
        count: that there are.
        most: that there may be.
        what: in words, for the one who asks.

    Raises:
        ShipoffError: LIMIT_REACHED.
    """
    if count >= most:
        raise LIMIT_REACHED(f"there are {count} {what}, and {most} may be")
