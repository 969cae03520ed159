"""The presets of frameworks."""

from __future__ import annotations

from control.gateway.call import Call
from control.gateway.models import frameworks as models
from kernel.frameworks import CATALOG


async def index(call: Call) -> models.FrameworkList:
    """GET /v1/frameworks: lists the frameworks that are recognised, and what is done then."""
    return {"frameworks": [models.framework(one) for one in CATALOG]}
