"""The gRPC face of accounts (proto/auth/v1/accounts.proto)."""

# ruff: noqa: N802 - the methods have the names that the .proto gives them
from __future__ import annotations

from typing import Any

from control.auth.accounts.profile import Profile
from control.auth.accounts.registration import Registration
from control.auth.caller import Client, account, signed_in
from control.auth.one_time.service import ONE_TIME_TOKEN_INVALID
from control.auth.passwords.service import Passwords
from control.auth.trail import personal_team
from kernel.errors import ShipoffError
from kernel.times import ms_of
from proto.auth.v1 import accounts_pb2 as pb
from proto.auth.v1.accounts_pb2_grpc import AccountsServicer


class AccountsServer(AccountsServicer):
    """Answers the calls of accounts.proto."""

    def __init__(self, registration: Registration, passwords: Passwords, profile: Profile) -> None:
        self._registration, self._passwords, self._profile = registration, passwords, profile

    async def Register(self, request: pb.RegisterRequest, context: Any) -> pb.RegisterResponse:
        """For anybody."""
        await self._registration.register(request.name, request.email, request.password, client_of(request.client))
        return pb.RegisterResponse()

    async def Verify(self, request: pb.VerifyRequest, context: Any) -> pb.VerifyResponse:
        """For who has the token of a mail: a registration's first, else one for a new address."""
        client = client_of(request.client)
        try:
            return pb.VerifyResponse(email=await self._registration.verify(request.token, client))
        except ShipoffError as error:
            if error.code != ONE_TIME_TOKEN_INVALID.code:
                raise
        return pb.VerifyResponse(email=await self._profile.confirm_email(request.token, client))

    async def ResendVerification(
        self, request: pb.ResendVerificationRequest, context: Any
    ) -> pb.ResendVerificationResponse:
        """For anybody."""
        await self._registration.resend(request.email, client_of(request.client))
        return pb.ResendVerificationResponse()

    async def ForgotPassword(self, request: pb.ForgotPasswordRequest, context: Any) -> pb.ForgotPasswordResponse:
        """For anybody."""
        await self._passwords.forgot(request.email, client_of(request.client))
        return pb.ForgotPasswordResponse()

    async def ResetPassword(self, request: pb.ResetPasswordRequest, context: Any) -> pb.ResetPasswordResponse:
        """For who has the token of a mail."""
        await self._passwords.reset(request.token, request.password, client_of(request.client))
        return pb.ResetPasswordResponse()

    async def GetMe(self, request: pb.GetMeRequest, context: Any) -> pb.Me:
        """The caller's account, which a token of theirs may see too."""
        return await self._me(account().account_id)

    async def UpdateMe(self, request: pb.UpdateMeRequest, context: Any) -> pb.Me:
        """The caller's name."""
        account_id = signed_in().account_id
        await self._profile.rename(account_id, request.name, client_of(request.client))
        return await self._me(account_id)

    async def DeleteMe(self, request: pb.DeleteMeRequest, context: Any) -> pb.DeleteMeResponse:
        """The caller's account, with the password once more."""
        account_id = signed_in().account_id
        await self._passwords.confirm(account_id, request.password)
        await self._profile.delete(account_id, client_of(request.client))
        return pb.DeleteMeResponse()

    async def ChangePassword(self, request: pb.ChangePasswordRequest, context: Any) -> pb.ChangePasswordResponse:
        """The caller's password, with the present one."""
        who, client = signed_in(), client_of(request.client)
        await self._passwords.change(
            who.account_id, who.credential_id, request.old_password, request.new_password, client
        )
        return pb.ChangePasswordResponse()

    async def ChangeEmail(self, request: pb.ChangeEmailRequest, context: Any) -> pb.ChangeEmailResponse:
        """The caller's address, with the password once more."""
        account_id = signed_in().account_id
        await self._passwords.confirm(account_id, request.password)
        await self._profile.ask_email(account_id, request.email, client_of(request.client))
        return pb.ChangeEmailResponse()

    async def _me(self, account_id: str) -> pb.Me:
        found = await self._profile.details(account_id)
        return pb.Me(
            id=found.id,
            email=found.email,
            name=found.name,
            personal_team_id=personal_team(found.id),
            is_owner=found.is_owner,
            verified=found.verified,
            has_password=found.has_password,
            two_factor=found.two_factor,
            created_at_ms=ms_of(found.created_at),
        )


def client_of(message: pb.Client) -> Client:
    """Where a call came from."""
    return Client.of(message.address, message.user_agent)
