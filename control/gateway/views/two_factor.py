"""The second factor of one's own account: codes of an authenticator, and recovery codes."""

from __future__ import annotations

from control.gateway.call import Call
from control.gateway.models import two_factor as models
from control.gateway.sender import client
from proto.auth.v1 import two_factor_pb2


async def show(call: Call) -> models.TwoFactorShape:
    """GET /v1/me/two-factor: says whether signing in needs a code."""
    return models.two_factor(await call.clients.two_factor.GetTwoFactor(two_factor_pb2.GetTwoFactorRequest()))


async def begin(call: Call, body: models.BeginTwoFactor) -> models.EnrolmentShape:
    """POST /v1/me/two-factor: makes a secret for an authenticator, which counts once a code confirms it."""
    made = await call.clients.two_factor.BeginTwoFactor(two_factor_pb2.BeginTwoFactorRequest(password=body.password))
    return {"secret": made.secret, "uri": made.uri}


async def confirm(call: Call, body: models.ConfirmTwoFactor) -> models.RecoveryCodesShape:
    """PUT /v1/me/two-factor: turns it on with a code, and shows the recovery codes, this once."""
    request = two_factor_pb2.ConfirmTwoFactorRequest(code=body.code, client=client(call.request))
    return {"recovery_codes": list((await call.clients.two_factor.ConfirmTwoFactor(request)).codes)}


async def disable(call: Call, body: models.ProveTwoFactor) -> None:
    """DELETE /v1/me/two-factor: turns it off, with the password and a code."""
    request = two_factor_pb2.DisableTwoFactorRequest(
        password=body.password, code=body.code, client=client(call.request)
    )
    await call.clients.two_factor.DisableTwoFactor(request)


async def renew(call: Call, body: models.ProveTwoFactor) -> models.RecoveryCodesShape:
    """POST /v1/me/recovery-codes: makes new recovery codes in place of all earlier ones."""
    request = two_factor_pb2.RenewRecoveryCodesRequest(
        password=body.password, code=body.code, client=client(call.request)
    )
    return {"recovery_codes": list((await call.clients.two_factor.RenewRecoveryCodes(request)).codes)}
