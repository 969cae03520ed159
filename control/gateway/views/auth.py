"""Registering, signing in and out, and passwords that were forgotten."""

from __future__ import annotations

from control.gateway.call import Call
from control.gateway.models import auth as models
from control.gateway.problems import ChallengeError
from control.gateway.sender import client
from proto.auth.v1 import accounts_pb2, sessions_pb2

MAILED = "if the address can be used for this, a mail is on its way"


async def register(call: Call, body: models.Register) -> models.AcceptedShape:
    """POST /v1/auth/register: makes an account, which can sign in once its address is proven by a mail.

    The answer is the same when the address has an account; then its owner is told.
    """
    request = accounts_pb2.RegisterRequest(
        name=body.name, email=body.email, password=body.password, client=client(call.request)
    )
    await call.clients.accounts.Register(request)
    return {"message": MAILED}


async def verify(call: Call, body: models.Link) -> models.VerifiedShape:
    """POST /v1/auth/verify: proves an address by the token of a mail, after registering or for a new address."""
    request = accounts_pb2.VerifyRequest(token=body.token, client=client(call.request))
    return {"email": (await call.clients.accounts.Verify(request)).email}


async def resend(call: Call, body: models.Address) -> models.AcceptedShape:
    """POST /v1/auth/verify/resend: sends the mail of a registration again.

    The answer is the same whatever the address.
    """
    request = accounts_pb2.ResendVerificationRequest(email=body.email, client=client(call.request))
    await call.clients.accounts.ResendVerification(request)
    return {"message": MAILED}


async def login(call: Call, body: models.Login) -> models.TokensShape:
    """POST /v1/auth/login: opens a session.

    With a second factor it is refused with 401 `TWO_FACTOR_REQUIRED` and a `challenge`, which goes to
    `/v1/auth/login/two-factor` within five minutes, with a code.
    """
    request = sessions_pb2.LoginRequest(email=body.email, password=body.password, client=client(call.request))
    answer = await call.clients.sessions.Login(request)
    if answer.HasField("challenge"):
        raise ChallengeError(answer.challenge.token)
    return models.tokens(answer.tokens)


async def login_two_factor(call: Call, body: models.LoginTwoFactor) -> models.TokensShape:
    """POST /v1/auth/login/two-factor: opens a session with the challenge of the first step and a code."""
    request = sessions_pb2.LoginTwoFactorRequest(challenge=body.challenge, code=body.code, client=client(call.request))
    return models.tokens(await call.clients.sessions.LoginTwoFactor(request))


async def refresh(call: Call, body: models.Refresh) -> models.TokensShape:
    """POST /v1/auth/refresh: gives the next pair of tokens of a session.

    A refresh token is good once. One that comes again later than ten seconds after its use was copied: its session
    ends.
    """
    request = sessions_pb2.RefreshRequest(refresh_token=body.refresh_token, client=client(call.request))
    return models.tokens(await call.clients.sessions.Refresh(request))


async def logout(call: Call) -> None:
    """POST /v1/auth/logout: ends the session that asks."""
    await call.clients.sessions.Logout(sessions_pb2.LogoutRequest(client=client(call.request)))


async def forgot(call: Call, body: models.Address) -> models.AcceptedShape:
    """POST /v1/auth/password/forgot: sends a link for a new password.

    The answer is the same whatever the address.
    """
    request = accounts_pb2.ForgotPasswordRequest(email=body.email, client=client(call.request))
    await call.clients.accounts.ForgotPassword(request)
    return {"message": MAILED}


async def reset(call: Call, body: models.ResetPassword) -> None:
    """POST /v1/auth/password/reset: sets a new password by the token of a mail; all sessions end."""
    request = accounts_pb2.ResetPasswordRequest(token=body.token, password=body.password, client=client(call.request))
    await call.clients.accounts.ResetPassword(request)
