"""GitHub installations that teams have claimed: one team each, the one whose admin proved to administer it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from kernel.database import Database, load_queries
from kernel.database.pool import Row, Transaction
from kernel.errors import define

INSTALLATION_TAKEN = define(
    "INSTALLATION_TAKEN",
    source="client",
    status=409,
    hint="another team has it; uninstall the App on GitHub and install it again for yours",
)
INSTALLATION_NOT_FOUND = define(
    "INSTALLATION_NOT_FOUND",
    source="client",
    status=404,
    hint="install the GitHub App for your team first: shipoff repo install",
)
SQL: Final = load_queries("control.projects.repositories")


@dataclass(frozen=True, slots=True)
class Installation:
    """One installation.

    Attributes:
        id: GitHub's.
        login, account_type: of the GitHub account that installed the App.
    """

    id: int
    team_id: str
    login: str
    account_type: str
    suspended: bool
    claimed_by: str
    claimed_at: datetime


@dataclass(frozen=True, slots=True)
class Claim:
    """What GitHub says of an installation to somebody who administers it."""

    installation_id: int
    login: str
    account_type: str
    suspended: bool


class Installations:
    """Finds and claims installations."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of(self, team_id: str) -> list[Installation]:
        """A team's, by login."""
        return [_installation(row) for row in await self._database.fetch(SQL["installations"], team_id)]

    async def get(self, installation_id: int, team_id: str) -> Installation:
        """One of a team's.

        Raises:
            ShipoffError: INSTALLATION_NOT_FOUND, also when it is another team's.
        """
        row = await self._database.fetchrow(SQL["installation"], installation_id, team_id)
        if row is None:
            raise INSTALLATION_NOT_FOUND(f"the team has no installation {installation_id}")
        return _installation(row)


async def claim(tx: Transaction, proven: Claim, team_id: str, account_id: str) -> Installation:
    """Gives an installation to a team, with the links that had lost it; again by the same team is no error.

    Args:
        proven: by GitHub's word that the account administers it.

    Raises:
        ShipoffError: INSTALLATION_TAKEN.
    """
    row = await tx.fetchrow(
        SQL["claim"],
        proven.installation_id,
        team_id,
        proven.login,
        proven.account_type,
        proven.suspended,
        account_id,
    )
    if row is None:
        raise INSTALLATION_TAKEN(f"the installation {proven.installation_id} belongs to another team")
    await tx.execute(SQL["attach_claimed"], proven.installation_id, team_id)
    return _installation(row)


def _installation(row: Row) -> Installation:
    return Installation(**{name: row[name] for name in Installation.__slots__})
