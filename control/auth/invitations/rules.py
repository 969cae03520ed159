"""What an invitation may be for. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from kernel.authority import Permission, Resource, Role
from kernel.errors import define

INVITATION_EMPTY = define(
    "INVITATION_EMPTY",
    source="client",
    status=422,
    hint="give a role on the team, or project_id and project_role, or all three",
)


@dataclass(frozen=True, slots=True)
class Offer:
    """What somebody is invited to.

    Attributes:
        role: on the team; None for guests of a project.
        project_id: "" for the team alone.
        project_role: None exactly then.
    """

    team_id: str
    role: Role | None
    project_id: str
    project_role: Role | None

    def needs(self) -> Iterator[tuple[Permission, Resource, Role]]:
        """What it takes to make this offer: a permission, on what, and at least the role that is given."""
        if self.role is not None:
            yield Permission.TEAM_MEMBER_CREATE, Resource(self.team_id), self.role
        if self.project_role is not None:
            yield Permission.PROJECT_MEMBER_CREATE, Resource(self.team_id, self.project_id), self.project_role


def check(offer: Offer) -> None:
    """Refuses an offer of nothing, and of half a role on a project.

    Raises:
        ShipoffError: INVITATION_EMPTY.
    """
    if (offer.role is None and offer.project_role is None) or bool(offer.project_id) != bool(offer.project_role):
        raise INVITATION_EMPTY("an invitation gives a role on the team, or a role on one project, or both")
