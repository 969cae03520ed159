"""Who calls, for what only people do with their own account."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from control.auth.standing import ACCOUNT_REQUIRED
from kernel.authority import Kind, Principal, current
from kernel.errors import UNAUTHENTICATED, define

SESSION_REQUIRED = define(
    "SESSION_REQUIRED", source="client", status=403, hint="sign in: an API token can't change its account"
)
AGENT_LENGTH: Final = 300
ADDRESS_LENGTH: Final = 64


@dataclass(frozen=True, slots=True)
class Client:
    """Where a request came from, as lists of sessions show it.

    Attributes:
        address: an IP address.
        user_agent: what the client calls itself; anything.
    """

    address: str
    user_agent: str

    @classmethod
    def of(cls, address: str, user_agent: str) -> Client:
        """Without what can't be shown or stored."""
        shown = "".join(char for char in user_agent[: 2 * AGENT_LENGTH] if char.isprintable())
        return cls(address[:ADDRESS_LENGTH] if address.isprintable() else "", shown[:AGENT_LENGTH])


def account() -> Principal:
    """The caller, who has an account: by a session or a token of theirs.

    Raises:
        ShipoffError: UNAUTHENTICATED, ACCOUNT_REQUIRED.
    """
    who = current()
    if who.kind is Kind.NOBODY:
        raise UNAUTHENTICATED("no account is signed in", hint="sign in, or send a token of your account")
    if not who.account_id:
        raise ACCOUNT_REQUIRED("a project's own token has no account")
    return who


def signed_in() -> Principal:
    """The caller, who has signed in: a stolen API token must not become an account.

    Raises:
        ShipoffError: UNAUTHENTICATED, ACCOUNT_REQUIRED, SESSION_REQUIRED.
    """
    who = account()
    if who.kind is not Kind.SESSION:
        raise SESSION_REQUIRED("this needs a session")
    return who
