"""API tokens: what makes one, and how it is shown."""

from __future__ import annotations

import time
from typing import Annotated, Final, TypedDict

from pydantic import Field

from control.gateway.models.base import Body, Short, time_of, time_or_none
from control.gateway.models.members import RoleName
from proto.auth.v1 import tokens_pb2

DAY_MS: Final = 86_400_000
Scopes = Annotated[list[Short], Field(max_length=200)]
Days = Annotated[int, Field(ge=1, le=366)]


class CreateToken(Body):
    """A token for your account. It may do what you may, cut down as you say.

    Attributes:
        name: for people.
        scopes: permissions, such as `DEPLOYMENT:CREATE`; null is all that you may do.
        project: id or name of the one project that it is to be good for; any when empty.
        expires_in_days: null is never.
    """

    name: Short
    scopes: Scopes | None = None
    project: Short = ""
    expires_in_days: Days | None = None


class CreateProjectToken(Body):
    """A token of a project, which belongs to no account.

    Attributes:
        name: for people.
        role: on the project; at most your own.
        scopes: permissions, such as `DEPLOYMENT:CREATE`; null is all that the role may do.
        expires_in_days: null is never.
    """

    name: Short
    role: RoleName
    scopes: Scopes | None = None
    expires_in_days: Days | None = None


class TokenShape(TypedDict):
    """An API token, without its secret.

    Attributes:
        id: tok_….
        name: for people.
        prefix: the first characters of the secret.
        scopes: permissions; null is all that its account, or its role, may do.
        project_id: the one project that it is good for; null is any.
        role: of a project's token there; null for an account's.
        created_at: RFC 3339.
        last_used_at: RFC 3339, to the minute; null is never.
        expires_at: RFC 3339; null is never.
    """

    id: str
    name: str
    prefix: str
    scopes: list[str] | None
    project_id: str | None
    role: str | None
    created_at: str
    last_used_at: str | None
    expires_at: str | None


class NewTokenShape(TypedDict):
    """A token that was just made.

    Attributes:
        token: what it is.
        secret: `shp_…`; in this answer and nowhere else.
    """

    token: TokenShape
    secret: str


class TokenList(TypedDict):
    """Tokens.

    Attributes:
        tokens: newest first.
    """

    tokens: list[TokenShape]


def scopes(names: list[str] | None) -> tokens_pb2.Scopes | None:
    """As auth is told."""
    return None if names is None else tokens_pb2.Scopes(names=names)


def end(days: int | None) -> int:
    """So many days from now, in milliseconds of Unix time; 0 for never."""
    return int(time.time() * 1000) + days * DAY_MS if days else 0


def token(message: tokens_pb2.ApiToken) -> TokenShape:
    """A token as the API shows it."""
    return {
        "id": message.id,
        "name": message.name,
        "prefix": message.prefix,
        "scopes": list(message.scopes.names) if message.HasField("scopes") else None,
        "project_id": message.project_id or None,
        "role": message.role or None,
        "created_at": time_of(message.created_at_ms),
        "last_used_at": time_or_none(message.last_used_at_ms),
        "expires_at": time_or_none(message.expires_at_ms),
    }


def made(message: tokens_pb2.NewToken) -> NewTokenShape:
    """With its secret."""
    return {"token": token(message.token), "secret": message.secret}


def tokens(message: tokens_pb2.ListTokensResponse) -> TokenList:
    """All of them."""
    return {"tokens": [token(one) for one in message.tokens]}
