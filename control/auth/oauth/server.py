"""The gRPC face of sign-in by providers and codes (proto/auth/v1/oauth.proto)."""

# ruff: noqa: N802 - the methods have the names that the .proto gives them
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from control.auth.accounts.server import client_of
from control.auth.caller import account, signed_in
from control.auth.oauth.codes import Purpose
from control.auth.oauth.devices import Devices
from control.auth.oauth.flow import Flow, Returned
from control.auth.oauth.identities import Identities, Identity
from control.auth.oauth.provider import Provider
from control.auth.oauth.service import SignIn
from control.auth.sessions.server import outcome
from kernel.times import ms_of
from proto.auth.v1 import oauth_pb2 as pb
from proto.auth.v1.oauth_pb2_grpc import OAuthServicer
from proto.auth.v1.sessions_pb2 import LoginResponse


class OAuthServer(OAuthServicer):
    """Answers the calls of oauth.proto."""

    def __init__(
        self,
        providers: Mapping[str, Provider],
        flow: Flow,
        sign_in: SignIn,
        identities: Identities,
        devices: Devices,
    ) -> None:
        self._providers, self._flow, self._sign_in = providers, flow, sign_in
        self._identities, self._devices = identities, devices

    async def ListProviders(self, request: pb.ListProvidersRequest, context: Any) -> pb.ListProvidersResponse:
        """For anybody."""
        found = [pb.Provider(id=one.id, name=one.name) for one in self._providers.values()]
        return pb.ListProvidersResponse(providers=found)

    async def StartFlow(self, request: pb.StartFlowRequest, context: Any) -> pb.StartFlowResponse:
        """For any browser."""
        purpose = Purpose.LINK if request.link else Purpose.SIGN_IN
        started = await self._flow.start(request.provider, request.redirect, request.challenge, purpose)
        return pb.StartFlowResponse(url=started.url, state=started.state, browser=started.browser)

    async def FinishFlow(self, request: pb.FinishFlowRequest, context: Any) -> pb.FinishFlowResponse:
        """For the browser that was sent."""
        returned = Returned(request.state, request.browser, request.code, request.issuer, request.error)
        return pb.FinishFlowResponse(redirect=await self._flow.finish(request.provider, returned))

    async def ExchangeCode(self, request: pb.ExchangeCodeRequest, context: Any) -> LoginResponse:
        """For who has a code and its verifier."""
        client = client_of(request.client)
        return outcome(await self._sign_in.exchange(request.code, request.verifier, client))

    async def GrantCode(self, request: pb.GrantCodeRequest, context: Any) -> pb.GrantCodeResponse:
        """By the caller's session, to a program of theirs."""
        return pb.GrantCodeResponse(code=await self._sign_in.grant(request.challenge))

    async def ListIdentities(self, request: pb.ListIdentitiesRequest, context: Any) -> pb.ListIdentitiesResponse:
        """The caller's."""
        found = await self._identities.list(account().account_id)
        return pb.ListIdentitiesResponse(identities=[_message(one) for one in found])

    async def LinkIdentity(self, request: pb.LinkIdentityRequest, context: Any) -> pb.LinkIdentityResponse:
        """To the caller's account."""
        await self._sign_in.link(request.code, request.verifier, client_of(request.client))
        return pb.LinkIdentityResponse()

    async def UnlinkIdentity(self, request: pb.UnlinkIdentityRequest, context: Any) -> pb.UnlinkIdentityResponse:
        """From the caller's account."""
        client = client_of(request.client)
        await self._identities.unlink(signed_in().account_id, request.identity_id, client)
        return pb.UnlinkIdentityResponse()

    async def StartDevice(self, request: pb.StartDeviceRequest, context: Any) -> pb.StartDeviceResponse:
        """For any program."""
        started = await self._devices.start(client_of(request.client))
        return pb.StartDeviceResponse(
            device_code=started.device_code,
            user_code=started.user_code,
            expires_in_s=started.expires_in_s,
            interval_s=started.interval_s,
        )

    async def ExchangeDevice(self, request: pb.ExchangeDeviceRequest, context: Any) -> LoginResponse:
        """For the program that has the device code."""
        return outcome(await self._devices.exchange(request.device_code, client_of(request.client)))

    async def GetDevice(self, request: pb.GetDeviceRequest, context: Any) -> pb.GetDeviceResponse:
        """For a signed-in person, who types a code."""
        found = await self._devices.waiting(signed_in().account_id, request.user_code)
        return pb.GetDeviceResponse(client=found.client, address=found.address, created_at_ms=ms_of(found.created_at))

    async def AnswerDevice(self, request: pb.AnswerDeviceRequest, context: Any) -> pb.AnswerDeviceResponse:
        """By the caller's session."""
        by = await self._sign_in.proven()
        await self._devices.answer(by, request.user_code, approve=request.approve)
        return pb.AnswerDeviceResponse()


def _message(identity: Identity) -> pb.Identity:
    return pb.Identity(
        id=identity.id,
        provider=identity.provider,
        email=identity.email,
        created_at_ms=ms_of(identity.created_at),
        last_used_at_ms=ms_of(identity.last_used_at),
    )
