"""Registering, signing in and out, and passwords that were forgotten."""

from __future__ import annotations

from typing import Annotated, TypedDict

from pydantic import Field

from control.gateway.models.base import Body, Short
from proto.auth.v1 import sessions_pb2

Password = Annotated[str, Field(max_length=1000)]
Token = Annotated[str, Field(max_length=200)]
Code = Annotated[str, Field(max_length=100)]


class Register(Body):
    """A new account.

    Attributes:
        name: what others see; 1 to 100 characters.
        email: its address, to which a link goes.
        password: 10 to 200 characters that are hard to guess.
    """

    name: Short
    email: Short
    password: Password


class Address(Body):
    """Somebody by their address.

    Attributes:
        email: the address.
    """

    email: Short


class Link(Body):
    """What a link in a mail carries.

    Attributes:
        token: the link's.
    """

    token: Token


class Login(Body):
    """The first step of signing in.

    Attributes:
        email: the account's address.
        password: the account's.
    """

    email: Short
    password: Password


class LoginTwoFactor(Body):
    """The second step of signing in.

    Attributes:
        challenge: from the first step's refusal.
        code: of the authenticator, or a recovery code.
    """

    challenge: Token
    code: Code


class Refresh(Body):
    """A request for the next pair of tokens.

    Attributes:
        refresh_token: shr_…, which is used up by this.
    """

    refresh_token: Token


class ResetPassword(Body):
    """A new password by the link of a mail.

    Attributes:
        token: the link's.
        password: 10 to 200 characters that are hard to guess.
    """

    token: Token
    password: Password


class AcceptedShape(TypedDict):
    """What comes next; it says nothing about whether the address has an account.

    Attributes:
        message: in a sentence.
    """

    message: str


class VerifiedShape(TypedDict):
    """An address that is proven.

    Attributes:
        email: the address.
    """

    email: str


class TokensShape(TypedDict):
    """What somebody holds who has signed in.

    Attributes:
        session_id: ses_….
        account_id: acc_….
        access_token: to be sent as `Authorization: Bearer …`.
        token_type: always `Bearer`.
        expires_in: seconds for which the access token is good.
        refresh_token: shr_…, good once, for the next pair.
    """

    session_id: str
    account_id: str
    access_token: str
    token_type: str
    expires_in: int
    refresh_token: str


def tokens(message: sessions_pb2.SessionTokens) -> TokensShape:
    """A pair of tokens as OAuth clients know it (RFC 6749, section 5.1)."""
    return {
        "session_id": message.session_id,
        "account_id": message.account_id,
        "access_token": message.access_token,
        "token_type": "Bearer",
        "expires_in": message.expires_in_s,
        "refresh_token": message.refresh_token,
    }
