"""Who I am."""

from __future__ import annotations

from control.gateway.call import Call
from control.gateway.models import account as models


async def show(call: Call) -> models.AccountShape:
    """GET /v1/me: shows whose credential was sent."""
    return models.account(call.account)
