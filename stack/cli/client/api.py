"""The REST API over http.client: JSON in, JSON or JSON lines out, problems as failures."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final
from urllib.parse import quote, urlencode, urlsplit

from stack.cli.client import credentials
from stack.cli.client.credentials import Credentials
from stack.cli.client.failures import Exit, Failure, of_problem

TIMEOUT_S: Final = 30.0
PAGE: Final = 100  # items; the most that the API gives at once
STREAM_S: Final = 24 * 3600.0  # between two lines of a stream; a quiet app says nothing for long


class Api:
    """Calls one platform.

    Args:
        who: where, and with which token; None takes what the user logged in with.
    """

    def __init__(self, who: Credentials | None = None) -> None:
        self.who = who or credentials.load()

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
        connection = _connection(self.who.url, timeout)
        target = urlsplit(self.who.url).path + "/v1/" + "/".join(quote(part, safe="") for part in path)
        if given := {key: value for key, value in query.items() if value not in (None, "", False)}:
            target += "?" + urlencode(given)
        headers = {"Authorization": f"Bearer {self.who.token}", "Accept": "application/json"}
        data = None
        if body is not None:
            headers["Content-Type"], data = "application/json", json.dumps(body)
        try:
            connection.request(method, target, data, headers)
            answer = connection.getresponse()
            if answer.status >= 400:
                raise of_problem(answer.status, _problem(answer.read()))
            yield answer
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise unreachable(self.who.url, error) from error
        finally:
            connection.close()


def unreachable(url: str, error: Exception) -> Failure:
    """The failure of a platform that does not answer."""
    hint = "is it running? shipoff status; is the address right? shipoff login --url URL"
    return Failure("PLATFORM_UNREACHABLE", f"cannot talk to {url}: {error}", hint, Exit.UNREACHABLE)


def _connection(url: str, timeout: float) -> http.client.HTTPConnection:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise Failure(
            "URL_INVALID", f"{url!r} is no address of a platform", "http://HOST:PORT or https://HOST", Exit.USAGE
        )
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    return kind(parts.hostname, parts.port, timeout=timeout)


def _problem(raw: bytes) -> dict[str, object]:
    try:
        value = json.loads(raw)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
