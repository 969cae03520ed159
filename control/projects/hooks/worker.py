"""Delivers what waits: one delivery of a hook at a time, by a lease on the hook, so that several processes may work.

A worker that dies between sending and noting leaves a lease that runs out; another one sends the same message again
under the same id. So each message comes at least once, and a receiver can tell a repetition. One that was paused for
longer than its lease notes nothing: the other's word counts.

The order of a hook is kept as far as receivers let it: what fails is tried again later, behind what came after it.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections import Counter
from typing import Final

from prometheus_client import Counter as Metric

from control.projects.hooks import messages
from control.projects.hooks.backoff import delay_s
from control.projects.hooks.hook import Hook, Owner, opened
from control.projects.hooks.mail import MailSender
from control.projects.hooks.messages import Message
from control.projects.hooks.rules import HookKind
from control.projects.hooks.send import HttpSender, Outcome
from control.projects.hooks.signature import headers
from kernel import tasks
from kernel.database import Database, load_queries
from kernel.database.pool import Row, Transaction
from kernel.sealing import Sealer

log = logging.getLogger(__name__)
SQL: Final = load_queries("control.projects.hooks")
AT_ONCE: Final = 16  # deliveries of one process at a time; each waits for somebody else most of the time
PER_HOST: Final = 4  # of these to one host, so that one that hangs holds up its own hooks and no others
IDLE_S: Final = 1.0  # between two looks when nothing is due
LEASE_S: Final = 60.0  # well above what an attempt may take
HOPELESS_DAYS: Final = 5  # a hook that fails for so long is switched off
GONE: Final = "the receiver answered 410: it wants no more"
HOPELESS: Final = f"every delivery failed for {HOPELESS_DAYS} days"

DELIVERED = Metric("shipoff_hook_deliveries_total", "Attempts to deliver", ["kind", "outcome"])


class HookWorker:
    """Takes up what is due until stopped.

    Args:
        lease_s: how long another worker waits before it takes over from one that is silent.
    """

    def __init__(
        self, database: Database, sealer: Sealer, http: HttpSender, mail: MailSender, *, lease_s: float = LEASE_S
    ) -> None:
        self._database, self._sealer, self._http, self._mail = database, sealer, http, mail
        self._lease_s = lease_s
        self._hosts: Counter[str] = Counter()
        self._working: set[asyncio.Task[None]] = set()
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begins in the background."""
        self._wake.set()
        self._task = tasks.spawn(tasks.repeat(self._fill, IDLE_S, "hooks wait", self._wake), "hook deliveries")

    async def stop(self) -> None:
        """Stops; what was under way is sent again when its lease has run out."""
        await tasks.stop(self._task, *self._working)

    def wake(self) -> None:
        """Something is due: looks at once."""
        self._wake.set()

    async def _fill(self) -> None:
        """Takes up what is due, as far as there is room."""
        while len(self._working) < AT_ONCE and await self._take_up():
            pass

    async def _take_up(self) -> bool:
        """Begins one delivery, if any is due."""
        lease = secrets.token_hex(8)
        busy = [host for host, count in self._hosts.items() if count >= PER_HOST]
        row = await self._database.fetchrow(SQL["claim"], lease, self._lease_s, busy)
        if row is None:
            return False
        self._hosts[row["host"]] += 1
        task = tasks.spawn(self._deliver(row, lease), f"deliver for {row['id']}")
        self._working.add(task)
        task.add_done_callback(lambda done: self._ended(done, row["host"]))
        return True

    def _ended(self, task: asyncio.Task[None], host: str) -> None:
        self._working.discard(task)
        self._hosts -= Counter({host: 1})  # drops what reaches zero
        self.wake()

    async def _deliver(self, row: Row, lease: str) -> None:
        due = await self._database.fetchrow(SQL["due"], row["id"])
        if due is None:  # somebody switched the hook off and on in between
            await self._database.fetchrow(SQL["free"], row["id"], lease, None, HOPELESS_DAYS)
            return
        hook = opened(row, Owner(due["of_team"], row["project_id"] or ""), self._sealer)
        outcome = await self._attempt(hook, due)
        DELIVERED.labels(hook.kind, "ok" if outcome.ok else "failed").inc()
        async with self._database.transaction() as tx:
            await self._note(tx, hook, due, lease, outcome)

    async def _attempt(self, hook: Hook, due: Row) -> Outcome:
        message = Message(due["message_id"], due["type"], due["created_at"], due["data"])
        match hook.kind:
            case HookKind.EMAIL:
                subject, text = messages.mail_text(message)
                # A repetition that somebody asked for is another mail; an attempt of the same delivery is none.
                return await self._mail.send(due["id"], hook.owner.team_id, hook.target, subject, text)
            case HookKind.SLACK:
                return await self._http.post(hook.target, messages.slack_body(message), {})
            case HookKind.WEBHOOK:
                body = messages.webhook_body(message)
                return await self._http.post(
                    hook.target, body, headers(hook.secrets, message.id, int(time.time()), body)
                )

    async def _note(self, tx: Transaction, hook: Hook, due: Row, lease: str, outcome: Outcome) -> None:
        freed = await tx.fetchrow(SQL["free"], hook.id, lease, outcome.ok, HOPELESS_DAYS)
        if freed is None:
            return  # the lease ran out, or the hook is gone: this attempt is nobody's
        await tx.execute(
            SQL["note"],
            due["id"],
            dict(outcome.request_headers),
            outcome.status,
            dict(outcome.response_headers),
            outcome.response_body,
            outcome.error,
            outcome.duration_ms,
        )
        again = None if outcome.ok or outcome.gone else delay_s(due["attempts"] + 1)
        state = "delivered" if outcome.ok else "failed" if again is None else "pending"
        await tx.execute(SQL["settle"], due["id"], state, again)
        if outcome.gone or freed["hopeless"]:
            reason = GONE if outcome.gone else HOPELESS
            log.warning("%s of %s is switched off: %s", hook.id, hook.owner.team_id, reason)
            await tx.execute(SQL["disable"], hook.id, reason)
            await tx.execute(SQL["give_up"], hook.id)
