"""Takes a delivery in: proves who sent it, refuses what came before, and queues it. Nothing is done yet."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from control.projects.repositories.service import Links, hook_of
from control.projects.webhooks.events import (
    Event,
    Ignored,
    InstallationChanged,
    PullRequest,
    Push,
    RepositoriesChanged,
)
from control.projects.webhooks.payloads.parse import parse
from control.projects.webhooks.signatures import PROVIDERS, WEBHOOK_UNSIGNED, Stamp, check, digest, stamp
from kernel import ids
from kernel.database import Database, load_queries
from kernel.database.pool import Transaction
from kernel.errors import define

WEBHOOK_QUEUE_FULL = define(
    "WEBHOOK_QUEUE_FULL", source="client", status=429, retryable=True, hint="send it again when the others are done"
)
SQL: Final = load_queries("control.projects.webhooks")
APP: Final = "github"
# Their bodies carry times, so the same body again is the same event, whatever id the unsigned header beside it has.
ONCE: Final = frozenset({"github", "gitea"})
RETRY_S: Final = 30


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a delivery at the door.

    Attributes:
        delivery_id: dlv_…, of what was queued.
        reason: why it is ignored.
    """

    status: Literal["queued", "duplicate", "ignored"]
    delivery_id: str = ""
    reason: str = ""


class Inbox:
    """The door of the queue.

    Args:
        app_secret: of the GitHub App, "" when there is none.
        queued_most: unprocessed deliveries of a lane at a time.
        wake: called when something was queued.
    """

    def __init__(
        self, database: Database, links: Links, app_secret: str, queued_most: int, wake: Callable[[], None]
    ) -> None:
        self._database, self._links = database, links
        self._app_secret, self._queued_most, self._wake = app_secret, queued_most, wake

    async def accept(self, provider: str, link_id: str, headers: Mapping[str, str], body: bytes) -> Taken:
        """Takes one delivery.

        Args:
            provider: of the address that it came to.
            link_id: of the address; "" for the App's.
            headers: by lower-case name.
            body: raw.

        Raises:
            ShipoffError: WEBHOOK_UNSIGNED, also for a link that there is not; PAYLOAD_INVALID; WEBHOOK_QUEUE_FULL.
        """
        secret = await self._secret(provider, link_id)
        # Megabytes are hashed and read here: not in the loop that answers everybody.
        named, events = await asyncio.to_thread(_read, provider, headers, body, secret)
        if all(isinstance(event, Ignored) for event in events):
            return Taken("ignored", reason=events[0].reason if isinstance(events[0], Ignored) else "")
        if provider == APP and not await self._concerns(events[0]):
            return Taken("ignored", reason="no project is linked to this")
        once = digest(named.event.encode() + b"\0" + body) if provider in ONCE else named.delivery
        async with self._database.transaction() as tx:
            taken = await self._queue(tx, provider, link_id, named, once, events[0], body)
        if taken.status == "queued":
            self._wake()
        return taken

    async def _secret(self, provider: str, link_id: str) -> str:
        """What the delivery must be signed with; for a link that there is not, something that nobody knows."""
        if provider not in PROVIDERS:
            raise WEBHOOK_UNSIGNED("no git host is known by that name")
        if provider == APP:
            return self._app_secret or secrets.token_hex()
        known_as, secret = await self._links.secret_of(link_id)
        return secret if secret and hook_of(known_as) == provider else secrets.token_hex()

    async def _concerns(self, event: Event) -> bool:
        """Anybody may install the App anywhere: only what is linked or claimed is kept."""
        if isinstance(event, InstallationChanged | RepositoriesChanged):
            return bool(await self._database.fetchval(SQL["concerns_installation"], event.installation_id))
        if isinstance(event, Ignored):
            return False
        found = await self._database.fetchval(SQL["concerns_repository"], event.installation_id, event.repository.id)
        return bool(found)

    async def _queue(
        self, tx: Transaction, provider: str, link_id: str, named: Stamp, once: str, event: Event, body: bytes
    ) -> Taken:
        lane, scope = lane_of(link_id, event), link_id or APP
        await tx.execute(SQL["lane_lock"], lane)
        if await tx.fetchval(SQL["known"], scope, named.delivery, once) is not None:
            return Taken("duplicate")
        if await tx.fetchval(SQL["waiting"], lane) >= self._queued_most:
            raise WEBHOOK_QUEUE_FULL(
                f"{self._queued_most} deliveries of this repository wait already", retry_after_s=RETRY_S
            )
        made = await tx.fetchval(
            SQL["insert"],
            ids.new("dlv"),
            scope,
            named.delivery,
            once,
            provider,
            link_id or None,
            named.event,
            lane,
            body,
        )
        return Taken("duplicate") if made is None else Taken("queued", made)


def lane_of(link_id: str, event: Event) -> str:
    """What a delivery must keep its place in: the link, or for the App the repository or the installation."""
    if link_id:
        return link_id
    if isinstance(event, Push | PullRequest):
        return f"{APP}/{event.repository.id}"
    return f"{APP}/installation/{getattr(event, 'installation_id', 0)}"


def _read(provider: str, headers: Mapping[str, str], body: bytes, secret: str) -> tuple[Stamp, Sequence[Event]]:
    check(provider, headers, body, secret, time.time())
    named = stamp(provider, headers, body)
    return named, parse(provider, named.event, body)
