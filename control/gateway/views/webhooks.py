"""Webhooks that come in: answered as soon as they are queued."""

from __future__ import annotations

from aiohttp import web

from control.gateway import body
from control.gateway.call import Call
from control.gateway.models import webhooks as models
from proto.projects.v1.webhooks_pb2 import Accepted


async def github(call: Call) -> web.Response:
    """POST /v1/webhooks/github: takes a delivery of the GitHub App.

    It must be signed with the App's secret (X-Hub-Signature-256). 202 when it is queued; 200 when it came before, or
    says nothing that matters here.
    """
    return _answer(await call.parts.reception.take(call.request, "github"))


async def link(call: Call) -> web.Response:
    """POST /v1/webhooks/{provider}/{link}: takes a delivery for a repository link.

    It must be signed with the link's secret, in the provider's own way. 202 when it is queued; 200 when it came before,
    or says nothing that matters here. An unknown link is answered as a wrong signature is.
    """
    return _answer(await call.parts.reception.take(call.request, call.named("provider"), call.named("link")))


def _answer(taken: Accepted) -> web.Response:
    return body.answer(models.taken(taken), 202 if taken.status == "queued" else 200)
