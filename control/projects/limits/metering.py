"""Takes over what routers answered, from the log service's sums, and mails to owners what has reached a mark."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import defaultdict
from datetime import date
from typing import Final

from control.projects.limits.admission import SQL, this_month
from control.projects.limits.refusals import MONTHLY
from control.projects.limits.usage import FULL, Traffic, note_traffic
from control.projects.owners import Owners
from kernel import tasks
from kernel.database import Database
from kernel.rpc import RpcClient
from proto.logsink.v1.logsink_pb2 import ListTrafficRequest
from proto.logsink.v1.logsink_pb2_grpc import LogsStub

log = logging.getLogger(__name__)
EVERY_S: Final = 60.0  # a limit of a month is met within a minute
OVERLAP_MS: Final = 300_000  # a sum may become visible later than its time says, and clocks differ


class Metering:
    """The sweeper; several of them do no harm: sums are taken over, not added, and a mail has an id.

    Args:
        logs: the channel to the log service.
    """

    def __init__(self, database: Database, logs: RpcClient, owners: Owners) -> None:
        self._database, self._logs, self._owners = database, logs.stub(LogsStub), owners
        self._since_ms = 0  # at the start all sums, which are as many as there are projects
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begins in the background."""
        self._tasks = [
            tasks.spawn(tasks.repeat(self.take_over, EVERY_S, "traffic is not counted"), "traffic of teams"),
            tasks.spawn(tasks.repeat(self.tell, EVERY_S, "owners are not told of limits"), "mails of limits"),
        ]

    async def stop(self) -> None:
        """Stops."""
        await tasks.stop(*self._tasks)

    async def take_over(self) -> None:
        """Asks for what has changed since the last time.

        Raises:
            ShipoffError: the log service or the database is away; it begins there again.
        """
        began_ms = int(time.time() * 1000)
        request = ListTrafficRequest(changed_since_ms=self._since_ms)
        while found := (await self._logs.ListTraffic(request)).traffic:
            months: dict[date, list[Traffic]] = defaultdict(list)
            for one in found:
                months[date.fromisoformat(one.month)].append(Traffic(one.project_id, one.requests, one.sent))
            for month in sorted(months):
                async with self._database.transaction() as tx:
                    await note_traffic(tx, month, months[month])
            request.after_project_id, request.after_month = found[-1].project_id, found[-1].month
        self._since_ms = began_ms - OVERLAP_MS

    async def tell(self) -> None:
        """Mails marks that were not told.

        Raises:
            ShipoffError: DATABASE_UNAVAILABLE.
        """
        for row in await self._database.fetch(SQL["untold"]):
            full = row["percent"] == FULL
            what = "is used up" if full else f"is used to {row['percent']} %"
            hint = MONTHLY[row["name"]].hint if full else "At 100 % no further builds are let in."
            text = f"A limit of your team's plan {what} this month: {row['detail']}.\n\n{hint}\n"
            mail_id = f"limit/{row['team_id']}/{row['month']}/{row['name']}/{row['percent']}"
            subject = f"A limit of your plan {what}"
            if await self._owners.tell(mail_id, row["team_id"], subject, text, since=row["at"]):
                await self._database.execute(SQL["told"], row["team_id"], row["month"], row["name"], row["percent"])
        await self._database.execute(SQL["forget"], this_month())
