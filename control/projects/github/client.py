"""A small client of GitHub's REST API (https://docs.github.com/en/rest): bounded in time and size, and by its rules.

It repeats nothing by itself: what failed for a while says when it may be tried again, and queues do that.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import orjson

from control.projects.github.app import App
from kernel.errors import ShipoffError, define

if TYPE_CHECKING:
    from aiohttp import ClientResponse, ClientSession

GITHUB_UNAVAILABLE = define("GITHUB_UNAVAILABLE", status=503, retryable=True, hint="try again in a moment")
GITHUB_BUSY = define("GITHUB_BUSY", status=503, retryable=True, hint="GitHub's rate limit is used up for now")
GITHUB_REFUSED = define(
    "GITHUB_REFUSED",
    source="client",
    status=422,
    hint="has the GitHub App the permissions that docs/webhooks.md names?",
)
VERSION: Final = "2022-11-28"
TIMEOUT_S: Final = 15.0
ANSWER_BYTES: Final = 4 << 20  # a page of 100 installations is some 200 KB
WAIT_S: Final = 60  # where GitHub says it is busy and not for how long (docs: "Rate limits for the REST API")
WAIT_MOST_S: Final = 3600


@dataclass(frozen=True, slots=True)
class Answer:
    """What GitHub said; never a rate limit or a fault of its own."""

    status: int
    body: Any


class GitHub:
    """Calls GitHub.

    Args:
        app: whose addresses it uses.
    """

    def __init__(self, app: App) -> None:
        self.app = app
        self._session: ClientSession | None = None

    async def close(self) -> None:
        """Closes the connections."""
        if self._session is not None:
            await self._session.close()

    async def call(
        self, method: str, path: str, token: str, body: object = None, query: Mapping[str, str] | None = None
    ) -> Answer:
        """One call.

        Args:
            path: as in GitHub's reference, filled in (`path_of`).
            token: of the App, an installation or a user.

        Raises:
            ShipoffError: GITHUB_UNAVAILABLE, GITHUB_BUSY with the time until it may be tried again.
        """
        return await self._send(method, self.app.api_url + path, f"Bearer {token}", body, query)

    async def wanted(
        self, method: str, path: str, token: str, body: object = None, query: Mapping[str, str] | None = None
    ) -> Any:
        """The body of a call that must succeed.

        Raises:
            ShipoffError: as `call`, and GITHUB_REFUSED for any status but 2xx.
        """
        answer = await self.call(method, path, token, body, query)
        if not 200 <= answer.status < 300:
            raise refused(method, path, answer)
        return answer.body

    async def exchange(self, form: Mapping[str, str]) -> Any:
        """Trades a code of the user authorization (docs: "Generating a user access token for a GitHub App").

        Raises:
            ShipoffError: as `call`, and GITHUB_REFUSED.
        """
        answer = await self._send("POST", self.app.web_url + "/login/oauth/access_token", "", dict(form), None)
        if answer.status != 200 or not isinstance(answer.body, dict):
            raise GITHUB_REFUSED(f"GitHub answered {answer.status} to the exchange of a code")
        return answer.body

    async def _send(
        self, method: str, url: str, authorization: str, body: object, query: Mapping[str, str] | None
    ) -> Answer:
        from aiohttp import ClientError

        headers = {"Authorization": authorization} if authorization else {"Accept": "application/json"}
        data = None if body is None else orjson.dumps(body)
        if data is not None:
            headers["Content-Type"] = "application/json"
        try:
            # A redirect means that the repository moved; an event tells of it, and a token is not carried along.
            async with self._open().request(
                method, url, headers=headers, data=data, params=query, allow_redirects=False
            ) as response:
                raw = await _read(response)
        except (ClientError, TimeoutError, OSError) as error:
            raise GITHUB_UNAVAILABLE(f"GitHub cannot be reached: {type(error).__name__}") from error
        if failure := _failure(response.status, response.headers):
            raise failure
        return Answer(response.status, _parsed(raw))

    def _open(self) -> ClientSession:
        if self._session is None:
            from aiohttp import ClientSession, ClientTimeout

            self._session = ClientSession(
                timeout=ClientTimeout(total=TIMEOUT_S),
                headers={
                    "Accept": "application/vnd.github+json",
                    "X-GitHub-Api-Version": VERSION,
                    "User-Agent": "Shipoff",
                },
            )
        return self._session


def path_of(template: str, **values: object) -> str:
    """A path of GitHub's reference with its places filled in: "/repos/{repository}/statuses/{sha}".

    Args:
        values: `repository` is owner/name and keeps its slash.
    """
    return template.format(
        **{name: quote(str(value), safe="/" if name == "repository" else "") for name, value in values.items()}
    )


def refused(method: str, path: str, answer: Answer) -> ShipoffError:
    """The error of an answer that is no success."""
    said = answer.body.get("message", "") if isinstance(answer.body, dict) else ""
    return GITHUB_REFUSED(f"GitHub answered {answer.status} to {method} {path}: {str(said)[:200]}")


def _failure(status: int, headers: Mapping[str, str]) -> ShipoffError | None:
    spent = headers.get("x-ratelimit-remaining") == "0"
    if status == 429 or (status == 403 and (spent or "retry-after" in headers)):
        return GITHUB_BUSY("GitHub asks to wait", retry_after_s=_wait_s(headers, spent))
    if status >= 500:
        return GITHUB_UNAVAILABLE(f"GitHub answered {status}")
    return None


def _wait_s(headers: Mapping[str, str], spent: bool) -> int:
    said, reset = headers.get("retry-after", ""), headers.get("x-ratelimit-reset", "")
    if said.isascii() and said.isdigit():
        wait = int(said)
    elif spent and reset.isascii() and reset.isdigit():
        wait = int(reset) - int(time.time()) + 1
    else:
        wait = WAIT_S
    return min(max(wait, 1), WAIT_MOST_S)


async def _read(response: ClientResponse) -> bytes:
    raw = bytearray()
    async for chunk in response.content.iter_any():
        raw += chunk
        if len(raw) > ANSWER_BYTES:
            raise GITHUB_UNAVAILABLE(f"GitHub's answer has more than {ANSWER_BYTES >> 20} MiB")
    return bytes(raw)


def _parsed(raw: bytes) -> Any:
    try:
        return orjson.loads(raw) if raw else None
    except orjson.JSONDecodeError:
        return None
