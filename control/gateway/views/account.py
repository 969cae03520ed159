"""One's own account, for who has signed in; an API token may look only."""

from __future__ import annotations

from control.gateway.call import Call
from control.gateway.models import account as models
from control.gateway.models.auth import AcceptedShape
from control.gateway.sender import client
from control.gateway.views.auth import MAILED
from proto.auth.v1 import accounts_pb2


async def show(call: Call) -> models.AccountShape:
    """GET /v1/me: shows whose credential was sent."""
    return models.account(await call.clients.accounts.GetMe(accounts_pb2.GetMeRequest()))


async def update(call: Call, body: models.UpdateMe) -> models.AccountShape:
    """PATCH /v1/me: changes one's name."""
    request = accounts_pb2.UpdateMeRequest(name=body.name, client=client(call.request))
    return models.account(await call.clients.accounts.UpdateMe(request))


async def delete(call: Call, body: models.DeleteMe) -> None:
    """DELETE /v1/me: deletes one's account, with its sessions, tokens and personal team.

    It is refused while somebody depends on it: while it owns projects, or a team that others are in.
    """
    await call.clients.accounts.DeleteMe(
        accounts_pb2.DeleteMeRequest(password=body.password, client=client(call.request))
    )


async def change_password(call: Call, body: models.ChangePassword) -> None:
    """PUT /v1/me/password: sets another password; all other sessions end."""
    request = accounts_pb2.ChangePasswordRequest(
        old_password=body.password, new_password=body.new_password, client=client(call.request)
    )
    await call.clients.accounts.ChangePassword(request)


async def change_email(call: Call, body: models.ChangeEmail) -> AcceptedShape:
    """PUT /v1/me/email: sends a link to a new address, which becomes the account's when it is opened.

    The old address hears of it. The answer is the same when another account has the new one.
    """
    request = accounts_pb2.ChangeEmailRequest(password=body.password, email=body.email, client=client(call.request))
    await call.clients.accounts.ChangeEmail(request)
    return {"message": MAILED}
