"""GitHub installations of a team, and how one is claimed."""

from __future__ import annotations

from typing import Annotated, TypedDict

from pydantic import Field

from control.gateway.models.base import Query, Short, time_of
from proto.projects.v1 import repositories_pb2 as pb


class Setup(Query):
    """What GitHub sends a person back with.

    Attributes:
        installation_id: of the App.
        code: proves, traded in by the platform, who that person is on GitHub.
        state: as the claim was begun with.
        setup_action: GitHub's word for what happened; nothing depends on it.
    """

    installation_id: Annotated[int, Field(ge=1, lt=1 << 63)]
    code: Annotated[str, Field(min_length=1, max_length=200)]
    state: Annotated[str, Field(min_length=1, max_length=2000)]
    setup_action: Short = ""


class InstallationShape(TypedDict):
    """An installation of the GitHub App that a team has claimed.

    Attributes:
        id: GitHub's.
        team_id: whose it is here.
        login: of the GitHub account that it is installed in.
        account_type: `User` or `Organization`.
        suspended: whether GitHub lets it do nothing.
        claimed_at: RFC 3339.
    """

    id: int
    team_id: str
    login: str
    account_type: str
    suspended: bool
    claimed_at: str


class InstallationList(TypedDict):
    """A team's installations.

    Attributes:
        installations: all of them, by login.
    """

    installations: list[InstallationShape]


class ClaimShape(TypedDict):
    """A claim that was begun.

    Attributes:
        url: where the App is installed, or its installation is confirmed, by somebody who administers the account.
        expires_at: until when it can be ended, RFC 3339.
    """

    url: str
    expires_at: str


def installation(message: pb.Installation) -> InstallationShape:
    """An installation as the API shows it."""
    return {
        "id": message.id,
        "team_id": message.team_id,
        "login": message.login,
        "account_type": message.account_type,
        "suspended": message.suspended,
        "claimed_at": time_of(message.claimed_at_ms),
    }
