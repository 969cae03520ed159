"""Who I am."""

from __future__ import annotations

from typing import TypedDict

from proto.auth.v1 import auth_pb2


class AccountShape(TypedDict):
    """An account.

    Attributes:
        id: acc_….
        email: its address.
        name: what others see.
    """

    id: str
    email: str
    name: str


def account(message: auth_pb2.Account) -> AccountShape:
    """An account as the API shows it."""
    return {"id": message.id, "email": message.email, "name": message.name}
