"""The gRPC face of webhooks (proto/projects/v1/webhooks.proto): the gateway hands over what came, raw."""

# ruff: noqa: N802 - the methods have the names that the .proto gives them
from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Final

from control.projects.webhooks.inbox import Inbox
from kernel.authority import require_platform
from kernel.errors import INVALID_ARGUMENT, define
from proto.projects.v1 import webhooks_pb2 as pb
from proto.projects.v1.webhooks_pb2_grpc import WebhooksServicer

WEBHOOK_TOO_LARGE = define("WEBHOOK_TOO_LARGE", source="client", status=413, hint="a delivery has 25 MiB at most")
BODY_BYTES: Final = 25 << 20  # GitHub's own limit (docs: "Webhook events and payloads")


class WebhooksServer(WebhooksServicer):
    """Answers the calls of webhooks.proto."""

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox

    async def Accept(self, request_iterator: AsyncIterator[pb.AcceptPart], context: Any) -> AsyncIterator[pb.Accepted]:
        """One answer, when the body is whole."""
        require_platform()
        head, body = pb.AcceptHead(), bytearray()
        async for part in request_iterator:
            if part.HasField("head"):
                head = part.head
            body += part.body
            if len(body) > BODY_BYTES:
                raise WEBHOOK_TOO_LARGE(f"the delivery has more than {BODY_BYTES >> 20} MiB")
        if not head.provider:
            raise INVALID_ARGUMENT("the first message has no head")
        taken = await self._inbox.accept(head.provider, head.link_id, dict(head.headers), bytes(body))
        yield pb.Accepted(status=taken.status, delivery_id=taken.delivery_id, reason=taken.reason)
