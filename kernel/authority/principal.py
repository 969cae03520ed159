"""Who asks: an account with a session, an API token, the platform itself, or nobody. Pure.

A principal is made by auth alone. It reaches the other services as a passport (`passport.py`), signed by auth
and valid for a minute, and stands in a context variable for the length of a call, as the request id does.
"""

from __future__ import annotations

import contextvars
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Final


class Kind(StrEnum):
    """How somebody proved who they are."""

    SESSION = "session"
    TOKEN = "token"  # noqa: S105 - the name of a kind
    PLATFORM = "platform"
    NOBODY = "nobody"


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks, with all that a decision needs.

    Attributes:
        kind: how they proved it.
        account_id: acc_…; "" for the platform and for a project's own token.
        name: for people: an e-mail address, the name of a token or of a service.
        credential_id: ses_… or tok_….
        teams: team id to role.
        projects: project id to role, for those with a role of their own.
        scopes: what a token is cut down to; None is everything.
        only_project: the one project that a token is good for; "" is any.
        address: the client's, for the audit log.
    """

    kind: Kind
    account_id: str = ""
    name: str = ""
    credential_id: str = ""
    teams: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    projects: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    scopes: frozenset[str] | None = None
    only_project: str = ""
    address: str = ""

    @property
    def actor_id(self) -> str:
        """What stands in records: the account, else the credential, else the service's name."""
        return self.account_id or self.credential_id or self.name


NOBODY: Final = Principal(Kind.NOBODY)
_current: contextvars.ContextVar[Principal] = contextvars.ContextVar("principal", default=NOBODY)


def platform(name: str) -> Principal:
    """The platform itself, by the name of the service that acts."""
    return Principal(Kind.PLATFORM, name=name)


def current() -> Principal:
    """Who asks in the call that is being answered."""
    return _current.get()


def become(who: Principal) -> None:
    """Sets who asks, for the rest of this task."""
    _current.set(who)


@contextmanager
def acting_as(who: Principal) -> Iterator[None]:
    """Sets who asks for the length of the block."""
    token = _current.set(who)
    try:
        yield
    finally:
        _current.reset(token)
