"""The gRPC face of the second factor (proto/auth/v1/two_factor.proto)."""

# ruff: noqa: N802 - the methods have the names that the .proto gives them
from __future__ import annotations

from typing import Any

from control.auth.accounts.server import client_of
from control.auth.caller import signed_in
from control.auth.passwords.service import Passwords
from control.auth.two_factor.service import TwoFactor
from kernel.times import ms_of
from proto.auth.v1 import two_factor_pb2 as pb
from proto.auth.v1.two_factor_pb2_grpc import TwoFactorServicer


class TwoFactorServer(TwoFactorServicer):
    """Answers the calls of two_factor.proto, all for the caller's own account."""

    def __init__(self, two_factor: TwoFactor, passwords: Passwords) -> None:
        self._two_factor, self._passwords = two_factor, passwords

    async def GetTwoFactor(self, request: pb.GetTwoFactorRequest, context: Any) -> pb.TwoFactorStatus:
        """How it stands."""
        found = await self._two_factor.status(signed_in().account_id)
        return pb.TwoFactorStatus(enabled=found.on, since_ms=ms_of(found.since), recovery_codes=found.recovery_codes)

    async def BeginTwoFactor(self, request: pb.BeginTwoFactorRequest, context: Any) -> pb.BeginTwoFactorResponse:
        """With the password: who found a session open must not lock its owner out."""
        account_id = signed_in().account_id
        await self._passwords.confirm(account_id, request.password)
        enrolment = await self._two_factor.begin(account_id)
        return pb.BeginTwoFactorResponse(secret=enrolment.secret, uri=enrolment.uri)

    async def ConfirmTwoFactor(self, request: pb.ConfirmTwoFactorRequest, context: Any) -> pb.RecoveryCodes:
        """With a code."""
        client = client_of(request.client)
        return pb.RecoveryCodes(codes=await self._two_factor.confirm(signed_in().account_id, request.code, client))

    async def DisableTwoFactor(self, request: pb.DisableTwoFactorRequest, context: Any) -> pb.DisableTwoFactorResponse:
        """With the password and a code."""
        account_id = signed_in().account_id
        await self._passwords.confirm(account_id, request.password)
        await self._two_factor.disable(account_id, request.code, client_of(request.client))
        return pb.DisableTwoFactorResponse()

    async def RenewRecoveryCodes(self, request: pb.RenewRecoveryCodesRequest, context: Any) -> pb.RecoveryCodes:
        """With the password and a code."""
        account_id = signed_in().account_id
        await self._passwords.confirm(account_id, request.password)
        return pb.RecoveryCodes(codes=await self._two_factor.renew(account_id, request.code, client_of(request.client)))
