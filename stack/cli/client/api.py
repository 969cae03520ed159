"""The REST API: JSON in, JSON or JSON lines out, problems as failures; the session is kept going meanwhile."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Final
from urllib.parse import quote

from stack.cli.client import session
from stack.cli.client.credentials import Credentials
from stack.cli.client.failures import Failure
from stack.cli.client.wire import TIMEOUT_S, exchange

PAGE: Final = 100  # items; the most that the API gives at once
STREAM_S: Final = 24 * 3600.0  # between two lines of a stream; a quiet app says nothing for long


class Api:
    """Calls one platform.

    Args:
        who: where, and with which token; None takes what the user logged in with.
    """

    def __init__(self, who: Credentials | None = None) -> None:
        self.who = who or session.current()

    def git_url(self, project: str) -> str:
        """Where to push, at the address under which we reach the platform (which it need not know itself)."""
        return f"{self.who.url}/git/{quote(project, safe='')}.git"

    def get(self, *path: str, **query: object) -> Any:
        """GET; path segments are quoted."""
        return self._call("GET", path, query=query)

    def all(self, *path: str) -> list[Any]:
        """GET of a list, page after page; the list is called as the last segment is."""
        found: list[Any] = []
        cursor = ""
        while True:
            page = self.get(*path, limit=PAGE, cursor=cursor)
            found += page[path[-1]]
            cursor = page["next_cursor"]
            if not cursor:
                return found

    def post(self, *path: str, body: object) -> Any:
        """POST."""
        return self._call("POST", path, body=body)

    def put(self, *path: str, body: object) -> Any:
        """PUT."""
        return self._call("PUT", path, body=body)

    def patch(self, *path: str, body: object) -> Any:
        """PATCH."""
        return self._call("PATCH", path, body=body)

    def send(self, *path: str) -> None:
        """POST of nothing, answered with nothing."""
        with self._answer("POST", path, {}, None, TIMEOUT_S) as answer:
            answer.read()

    def delete(self, *path: str) -> None:
        """DELETE."""
        with self._answer("DELETE", path, {}, None, TIMEOUT_S) as answer:
            answer.read()

    def lines(self, *path: str, **query: object) -> Iterator[Any]:
        """GET of JSON lines, as they come."""
        with self._answer("GET", path, query, None, STREAM_S) as answer:
            while line := answer.readline():
                yield json.loads(line)

    def _call(
        self, method: str, path: tuple[str, ...], query: dict[str, object] | None = None, body: object = None
    ) -> Any:
        with self._answer(method, path, query or {}, body, TIMEOUT_S) as answer:
            return json.loads(answer.read())

    @contextmanager
    def _answer(
        self, method: str, path: tuple[str, ...], query: dict[str, object], body: object, timeout: float
    ) -> Iterator[http.client.HTTPResponse]:
        """An answer that is good; else a failure.

        Raises:
            Failure: with the platform's code, or UNREACHABLE.
        """
        self.who = session.fresh(self.who)
        target = "/".join(quote(part, safe="") for part in path)
        asked: dict[str, Any] = {"query": query, "body": body, "timeout": timeout}
        with ExitStack() as stack:
            try:
                answer = stack.enter_context(exchange(self.who.url, method, target, token=self.who.token, **asked))
            except Failure as failure:
                # It has run out by the platform's clock, if not by ours.
                if failure.code != "SIGNED_TOKEN_EXPIRED" or not self.who.refresh_token:
                    raise
                self.who = session.renew(self.who)
                answer = stack.enter_context(exchange(self.who.url, method, target, token=self.who.token, **asked))
            yield answer
