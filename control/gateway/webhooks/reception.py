"""Takes a delivery in as it came: raw bytes, bounded one by one and all together, for who knows the secrets."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Final

from aiohttp import web

from control.gateway.clients import Clients
from control.gateway.identity import as_platform
from control.gateway.problems import BODY_TOO_LARGE
from kernel.errors import UNAVAILABLE
from proto.projects.v1.webhooks_pb2 import Accepted, AcceptHead, AcceptPart

BODY_BYTES: Final = 25 << 20  # GitHub's own limit, the largest of all
HELD_BYTES: Final = 100 << 20  # of all deliveries that are being read; above it hosts are told to come back
PART_BYTES: Final = 1 << 20  # of one message; gRPC takes 8 MiB (kernel/rpc)
DEADLINE_S: Final = 20.0  # to check and to queue one, whose largest take a second
_HEADERS: Final = frozenset(
    {
        "content-type",
        "x-github-delivery", "x-github-event", "x-hub-signature-256",
        "x-gitlab-token", "x-gitlab-event", "x-gitlab-event-uuid", "idempotency-key",
        "x-gitea-delivery", "x-gitea-event", "x-gitea-signature",
        "x-forgejo-delivery", "x-forgejo-event", "x-forgejo-signature",
        "x-request-uuid", "x-event-key", "x-hub-signature",
        "webhook-id", "webhook-timestamp", "webhook-signature",
    }
)  # fmt: skip


class Reception:
    """Where deliveries come in; one for all of them, because it counts what they hold."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients
        self._held = 0

    async def take(self, request: web.Request, provider: str, link: str = "") -> Accepted:
        """Reads a delivery and has it checked and queued.

        Args:
            provider: that the address names.
            link: of the address; "" for the GitHub App's.

        Raises:
            ShipoffError: BODY_TOO_LARGE; UNAVAILABLE when too many come at once; WEBHOOK_UNSIGNED, PAYLOAD_INVALID and
                WEBHOOK_QUEUE_FULL from the service.
        """
        if (request.content_length or 0) > BODY_BYTES:
            raise BODY_TOO_LARGE(f"a delivery has at most {BODY_BYTES >> 20} MiB")
        body = bytearray()
        try:
            async for chunk in request.content.iter_any():
                body += chunk
                self._held += len(chunk)
                self._check(len(body))
            return await self._hand_over(AcceptHead(provider=provider, link_id=link, headers=_shown(request)), body)
        finally:
            self._held -= len(body)

    def _check(self, size: int) -> None:
        if size > BODY_BYTES:
            raise BODY_TOO_LARGE(f"a delivery has at most {BODY_BYTES >> 20} MiB")
        if self._held > HELD_BYTES:
            raise UNAVAILABLE("too many deliveries come in at once", retry_after_s=5)

    async def _hand_over(self, head: AcceptHead, body: bytearray) -> Accepted:
        with as_platform():  # who sent it is known by its signature only
            answers = [one async for one in self._clients.webhooks.Accept(_parts(head, body), timeout=DEADLINE_S)]
        if not answers:
            raise UNAVAILABLE("the delivery was not answered")
        return answers[0]


async def _parts(head: AcceptHead, body: bytearray) -> AsyncIterator[AcceptPart]:
    yield AcceptPart(head=head)
    for begin in range(0, len(body), PART_BYTES):
        yield AcceptPart(body=bytes(body[begin : begin + PART_BYTES]))


def _shown(request: web.Request) -> Mapping[str, str]:
    """What matters of the headers; bytes that are no text can't be part of a signature or a name."""
    return {
        name.lower(): value.encode("utf-8", "replace").decode()
        for name, value in request.headers.items()
        if name.lower() in _HEADERS
    }
