"""Tells GitHub what `reports.py` noted: commit status, deployment and its status, one comment a pull request.

A row says what is to be told of, not what: what is told is how things stand when it is told, so of many changes in a
row only the last costs a call. GitHub's failures never reach a deployment. They are tried again, with what GitHub says
of its rate limit, and given up after `ATTEMPTS`, until the next change.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Final

from control.projects.github import describe
from control.projects.github.client import GITHUB_BUSY, GITHUB_UNAVAILABLE, GitHub, path_of, refused
from control.projects.github.tokens import Tokens
from control.projects.webhooks.decide import pull_environment
from kernel import tasks
from kernel.database import Database, load_queries
from kernel.database.pool import Row
from kernel.deployments import State
from kernel.errors import ShipoffError, reason_of

log = logging.getLogger(__name__)

SQL: Final = load_queries("control.projects.github")
LEASE_S: Final = 120.0
WORK_S: Final = 90.0  # below the lease; some calls of 15 s at most each
ATTEMPTS: Final = 8
BACKOFF_S: Final = (2.0, 10.0, 30.0, 120.0, 300.0, 900.0, 1800.0)
POLL_S: Final = 1.0
PRUNE_S: Final = 3600.0
PAGES: Final = 10  # of a pull request's comments that are looked through for an own one


class Reporter:
    """Works the noted reports off, one after the other.

    Args:
        github, tokens: of the App.
        days: how long what was told is remembered; GitHub's ids are in it.
    """

    def __init__(self, database: Database, github: GitHub, tokens: Tokens, days: int) -> None:
        self._database, self._github, self._tokens, self._days = database, github, tokens, days
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begins in the background."""
        self._tasks = [
            tasks.spawn(tasks.repeat(self._tell, POLL_S, "reports to GitHub wait"), "reports to GitHub"),
            tasks.spawn(tasks.repeat(self.prune, PRUNE_S, "reports are not pruned"), "reports prune"),
        ]

    async def stop(self) -> None:
        """Stops; what was under way is told again."""
        await tasks.stop(*self._tasks)

    async def prune(self) -> None:
        """Forgets what was told long ago."""
        await self._database.execute(SQL["prune"], self._days)

    async def _tell(self) -> None:
        while await self.turn():
            pass

    async def turn(self) -> bool:
        """Tells one thing; whether there was one."""
        row = await self._database.fetchrow(SQL["claim"], LEASE_S)
        if row is None:
            return False
        try:
            async with asyncio.timeout(WORK_S):
                told = await (self._deployment(row) if row["number"] is None else self._comment(row))
            await self._database.execute(SQL["finish"], row["id"], row["version"], told)
        except Exception as error:  # noqa: BLE001 - whatever it is, the others are told
            await self._failed(row, error)
        return True

    async def _failed(self, row: Row, error: Exception) -> None:
        expected = isinstance(error, ShipoffError | TimeoutError)
        log.warning("the report of %s failed (%r)", row["id"], error, exc_info=not expected)
        text = reason_of(error)
        busy = isinstance(error, ShipoffError) and error.code == GITHUB_BUSY.code
        if row["attempts"] >= ATTEMPTS and not busy:
            await self._database.execute(SQL["give_up"], row["id"], text, row["version"])
            return
        pause = BACKOFF_S[min(row["attempts"], len(BACKOFF_S)) - 1]
        if isinstance(error, ShipoffError) and busy:
            pause = float(error.retry_after_s)
        await self._database.execute(SQL["retry"], row["id"], pause, text, busy)

    async def _deployment(self, row: Row) -> str:
        found = await self._database.fetchrow(SQL["deployment"], row["id"], row["repository_id"])
        if found is None or found["state"] == row["told"]:
            return str(row["told"])
        if found["state"] == State.INACTIVE and row["remote_id"] is None:
            return str(found["state"])  # GitHub heard of it too long ago for its id to be known: nothing is made anew
        token = await self._tokens.get(row["installation_id"], row["repository_id"], "report")
        repository, state, reason = found["full_name"], found["state"], found["reason"]
        status = describe.commit_status(found["project"], found["environment"], state, reason, found["url"])
        if status is not None:
            path = path_of("/repos/{repository}/statuses/{sha}", repository=repository, sha=found["commit_id"])
            await self._github.wanted("POST", path, token, status)
        remote = row["remote_id"] or await self._new_deployment(row["id"], token, found)
        path = path_of("/repos/{repository}/deployments/{id}/statuses", repository=repository, id=remote)
        await self._github.wanted("POST", path, token, describe.deployment_status(state, reason, found["url"]))
        return str(state)

    async def _new_deployment(self, report_id: str, token: str, found: Row) -> int:
        body = describe.deployment(found["project"], found["environment"], found["commit_id"])
        path = path_of("/repos/{repository}/deployments", repository=found["full_name"])
        return await self._made(report_id, await self._github.wanted("POST", path, token, body))

    async def _comment(self, row: Row) -> str:
        rows = await self._database.fetch(
            SQL["previews"], row["installation_id"], row["repository_id"], pull_environment(row["number"])
        )
        text = describe.comment([_preview(one) for one in rows])
        if not rows or text == row["told"]:
            return str(row["told"])
        token = await self._tokens.get(row["installation_id"], row["repository_id"], "report")
        repository = rows[0]["full_name"]
        remote = row["remote_id"] or await self._own_comment(row, repository, token)
        if not remote or not await self._rewrite(repository, remote, token, text):
            path = path_of("/repos/{repository}/issues/{number}/comments", repository=repository, number=row["number"])
            await self._made(row["id"], await self._github.wanted("POST", path, token, {"body": text}))
        return text

    async def _rewrite(self, repository: str, comment_id: int, token: str, text: str) -> bool:
        """Whether the comment was still there."""
        path = path_of("/repos/{repository}/issues/comments/{id}", repository=repository, id=comment_id)
        answer = await self._github.call("PATCH", path, token, {"body": text})
        if answer.status == 404:  # somebody deleted it
            return False
        if answer.status != 200:
            raise refused("PATCH", path, answer)
        return True

    async def _own_comment(self, row: Row, repository: str, token: str) -> int:
        """The comment that an earlier attempt made before it could say so; 0 when there is none."""
        path = path_of("/repos/{repository}/issues/{number}/comments", repository=repository, number=row["number"])
        for page in range(1, PAGES + 1):
            listed = await self._github.wanted("GET", path, token, query={"per_page": "100", "page": str(page)})
            for one in listed if isinstance(listed, list) else []:
                # Anybody can write the mark: only what the App itself wrote is taken.
                by = one.get("performed_via_github_app") or {}
                if str(by.get("id", "")) == self._github.app.app_id and str(one.get("body", "")).startswith(
                    describe.MARK
                ):
                    await self._database.execute(SQL["remember"], row["id"], one["id"])
                    return int(one["id"])
            if not isinstance(listed, list) or len(listed) < 100:
                break
        return 0

    async def _made(self, report_id: str, answer: Any) -> int:
        """Remembers the id of what GitHub made."""
        if not isinstance(answer, dict) or not isinstance(answer.get("id"), int):
            raise GITHUB_UNAVAILABLE("GitHub's answer has no id")
        await self._database.execute(SQL["remember"], report_id, answer["id"])
        return int(answer["id"])


def _preview(row: Row) -> describe.Preview:
    return describe.Preview(
        row["project"],
        row["state"],
        row["reason"],
        row["url"],
        row["commit_id"],
        row["updated_at"],
        not row["exists"],
    )
