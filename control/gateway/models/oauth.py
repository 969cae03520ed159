"""Signing in by other providers, and programs without a browser."""

from __future__ import annotations

from typing import Annotated, TypedDict

from pydantic import Field

from control.gateway.models.base import Body, Short, time_of
from proto.auth.v1 import oauth_pb2

Secret = Annotated[str, Field(max_length=200)]


class ExchangeCode(Body):
    """A code that a browser brought back from a sign-in.

    Attributes:
        code: the parameter `code` of the address; good once, for a minute.
        verifier: 43 to 128 characters whose SHA-256 was the `challenge` at the start (RFC 7636).
    """

    code: Secret
    verifier: Secret


class StartDevice(Body):
    """A program without a browser that wants to be signed in.

    Attributes:
        name: what it calls itself; whoever says yes sees it.
    """

    name: Short


class ExchangeDevice(Body):
    """A program that asks whether somebody has said yes.

    Attributes:
        device_code: from the start.
    """

    device_code: Secret


class ProviderShape(TypedDict):
    """A provider of sign-ins.

    Attributes:
        id: stands in `/v1/auth/oauth/{provider}/start`.
        name: for a button.
    """

    id: str
    name: str


class ProviderList(TypedDict):
    """Those that are set up here.

    Attributes:
        providers: in the order in which they are shown.
    """

    providers: list[ProviderShape]


class IdentityShape(TypedDict):
    """Who somebody is at a provider.

    Attributes:
        id: idn_….
        provider: its id.
        email: what the provider last said; nothing is decided by it.
        created_at: when it was linked, RFC 3339.
        last_used_at: when it was last signed in with, RFC 3339.
    """

    id: str
    provider: str
    email: str
    created_at: str
    last_used_at: str


class IdentityList(TypedDict):
    """The identities of an account.

    Attributes:
        identities: the oldest first.
    """

    identities: list[IdentityShape]


class DeviceShape(TypedDict):
    """What a program without a browser shows, and asks with (RFC 8628, section 3.2).

    Attributes:
        device_code: the program's secret.
        user_code: that a person types.
        verification_uri: where.
        verification_uri_complete: the same with the code in it.
        expires_in: seconds for which both are good.
        interval: seconds between two questions.
    """

    device_code: str
    user_code: str
    verification_uri: str
    verification_uri_complete: str
    expires_in: int
    interval: int


def provider(message: oauth_pb2.Provider) -> ProviderShape:
    """A provider as the API shows it."""
    return {"id": message.id, "name": message.name}


def identity(message: oauth_pb2.Identity) -> IdentityShape:
    """An identity as its owner sees it."""
    return {
        "id": message.id,
        "provider": message.provider,
        "email": message.email,
        "created_at": time_of(message.created_at_ms),
        "last_used_at": time_of(message.last_used_at_ms),
    }


def device(message: oauth_pb2.StartDeviceResponse, page: str) -> DeviceShape:
    """A pair of codes; `page` is where the short one is typed."""
    return {
        "device_code": message.device_code,
        "user_code": message.user_code,
        "verification_uri": page,
        "verification_uri_complete": f"{page}?code={message.user_code}",
        "expires_in": message.expires_in_s,
        "interval": message.interval_s,
    }
