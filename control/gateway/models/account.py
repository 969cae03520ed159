"""One's own account: how it is shown, and what changes it."""

from __future__ import annotations

from typing import TypedDict

from control.gateway.models.auth import Password
from control.gateway.models.base import Body, Short, time_of
from proto.auth.v1 import accounts_pb2


class UpdateMe(Body):
    """A change of one's own account.

    Attributes:
        name: what others see; 1 to 100 characters.
    """

    name: Short


class DeleteMe(Body):
    """The end of one's own account.

    Attributes:
        password: the account's, once more.
    """

    password: Password


class ChangePassword(Body):
    """Another password.

    Attributes:
        password: the present one.
        new_password: 10 to 200 characters that are hard to guess.
    """

    password: Password
    new_password: Password


class ChangeEmail(Body):
    """Another address.

    Attributes:
        password: the account's, once more.
        email: the new address, to which a link goes.
    """

    password: Password
    email: Short


class AccountShape(TypedDict):
    """One's own account.

    Attributes:
        id: acc_….
        email: its address.
        name: what others see.
        personal_team_id: tem_… of the team that it has for itself.
        owner: whether it is the platform's first account.
        verified: whether the address is proven.
        has_password: whether one was ever set; without one, `/v1/auth/password/forgot` sets it.
        two_factor: whether signing in needs a code.
        created_at: RFC 3339.
    """

    id: str
    email: str
    name: str
    personal_team_id: str
    owner: bool
    verified: bool
    has_password: bool
    two_factor: bool
    created_at: str


def account(message: accounts_pb2.Me) -> AccountShape:
    """An account as its holder sees it."""
    return {
        "id": message.id,
        "email": message.email,
        "name": message.name,
        "personal_team_id": message.personal_team_id,
        "owner": message.is_owner,
        "verified": message.verified,
        "has_password": message.has_password,
        "two_factor": message.two_factor,
        "created_at": time_of(message.created_at_ms),
    }
