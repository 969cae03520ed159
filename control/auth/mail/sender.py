"""Sends what is in the outbox: several processes may, a mail is one's at a time."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import Final, cast

from prometheus_client import Counter

from control.auth.mail.letter import compose
from control.auth.mail.service import SQL, place
from control.auth.mail.transport import MAIL_REFUSED, Transport
from kernel import tasks
from kernel.database import Database
from kernel.database.pool import Row
from kernel.errors import ShipoffError, reason_of
from kernel.sealing import Sealer

log = logging.getLogger(__name__)

LOOK_S: Final = 1.0  # somebody waits for the mail; the look is one indexed query
BATCH: Final = 10
LEASE_S: Final = 300.0  # longer than a batch takes if each mail uses up its time with the server
# A server that is down for a working day loses nothing. Links in mails that are later than that have expired.
RETRY_S: Final = (5.0, 30.0, 120.0, 600.0, 1800.0, 3600.0, 7200.0, 14_400.0)

SENT = Counter("shipoff_mails_total", "Mails by what became of them", ["outcome"])


class Sender:
    """Sends mails until stopped.

    Args:
        database: of auth.
        sealer: that sealed them.
        transport: takes them.
        mail_from: "Name <address>".
        retry_s: pauses after the first, second, … failure; after the last one it gives up.
    """

    def __init__(
        self,
        database: Database,
        sealer: Sealer,
        transport: Transport,
        mail_from: str,
        *,
        retry_s: Sequence[float] = RETRY_S,
    ) -> None:
        self._database, self._sealer, self._transport, self._from = database, sealer, transport, mail_from
        self._retry_s = retry_s
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begins in the background."""
        self._task = tasks.spawn(tasks.repeat(self.send_due, LOOK_S, "mails are not sent"), "sender of mails")

    async def stop(self) -> None:
        """Stops; what is not sent stays in the table."""
        await tasks.stop(self._task)

    async def send_due(self) -> int:
        """Sends what is due now; returns how many went."""
        went = 0
        while rows := await self._database.fetch(SQL["claim"], BATCH, LEASE_S):
            for row in rows:
                went += await self._send(row)
        return went

    async def _send(self, row: Row) -> bool:
        try:
            values = cast("Mapping[str, str]", self._sealer.open(row["sealed"], place(row["id"])))
            await self._transport.deliver(compose(self._from, row["recipient"], row["template"], values))
        except Exception as error:  # noqa: BLE001 - whatever is wrong with one mail, the others go
            await self._failed(row, error)
            return False
        await self._database.execute(SQL["sent"], row["id"])
        SENT.labels("sent").inc()
        log.info("mail %s (%s) went", row["id"], row["template"])
        return True

    async def _failed(self, row: Row, error: Exception) -> None:
        final = not isinstance(error, ShipoffError) or error.code == MAIL_REFUSED.code
        if final or row["attempts"] > len(self._retry_s):
            await self._database.execute(SQL["give_up"], row["id"], reason_of(error))
            SENT.labels("given_up").inc()
            log.error("mail %s (%s) is given up: %s", row["id"], row["template"], error)
            return
        pause_s = self._retry_s[row["attempts"] - 1]
        await self._database.execute(SQL["later"], row["id"], pause_s, reason_of(error))
        SENT.labels("later").inc()
        log.warning("mail %s (%s) goes in %.0f s: %s", row["id"], row["template"], pause_s, error)
