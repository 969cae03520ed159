"""The audit log of a team: every change of what it owns, and who made it."""

from __future__ import annotations

from control.gateway.call import Call
from control.gateway.models import audit as models


async def index(call: Call, query: models.AuditQuery) -> models.AuditList:
    """GET /v1/teams/{team}/audit: the newest records first."""
    answer = await call.clients.audit.ListAuditEvents(models.request(call.team, query))
    return {"events": [models.event(one) for one in answer.events], "next_cursor": answer.next_cursor or None}
