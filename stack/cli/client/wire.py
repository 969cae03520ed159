"""One request to a platform and its answer, over http.client; problems become failures."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

from stack.cli.client.failures import Exit, Failure, of_problem

TIMEOUT_S: Final = 30.0


@contextmanager
def exchange(
    url: str,
    method: str,
    path: str,
    *,
    token: str = "",
    query: Mapping[str, object] | None = None,
    body: object = None,
    timeout: float = TIMEOUT_S,
) -> Iterator[http.client.HTTPResponse]:
    """An answer that is good; else a failure.

    Args:
        url: of the platform.
        method: of HTTP.
        path: below /v1/, quoted.
        token: to be shown, "" for none.
        query: what is empty in it is left out.
        body: JSON, None for none.
        timeout: seconds between two parts of the answer.

    Raises:
        Failure: with the platform's code, or PLATFORM_UNREACHABLE.
    """
    connection = _connection(url, timeout)
    target = f"{urlsplit(url).path}/v1/{path}"
    if given := {key: value for key, value in (query or {}).items() if value not in (None, "", False)}:
        target += "?" + urlencode(given)
    headers = {"Accept": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
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
        raise unreachable(url, error) from error
    finally:
        connection.close()


def call(url: str, method: str, path: str, *, token: str = "", body: object = None) -> Any:
    """The same for an answer of JSON.

    Raises:
        Failure: as `exchange`.
    """
    with exchange(url, method, path, token=token, body=body) as answer:
        return json.loads(answer.read() or b"null")


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
