"""`shipoff logs --requests`: what the router answered for a project."""

from __future__ import annotations

import json
import time
from typing import Any, Final

from stack.cli.client.api import Api

PAUSE_S: Final = 1.0
LATE_US: Final = 10_000_000  # records of several routers and workers come some seconds apart
PAGE: Final = 1000
Seen = set[tuple[int, str]]


def show_requests(api: Api, project: str, status: str, tail: int, *, follow: bool, as_json: bool) -> None:
    """Prints the last so many requests, oldest first, and to follow those that come.

    Raises:
        Failure: as the API says.
    """
    found = _newest(api, project, status, tail)
    seen: Seen = set()
    _print(found, seen, as_json)
    while follow:
        time.sleep(PAUSE_S)
        since = max((at for at, _ in seen), default=time.time_ns() // 1000) - LATE_US
        seen = {one for one in seen if one[0] >= since}
        _print(_newest(api, project, status, 10 * PAGE, since), seen, as_json)


def _newest(api: Api, project: str, status: str, most: int, since: int = 0) -> list[dict[str, Any]]:
    """The newest requests, newest first, at most about so many."""
    found: list[dict[str, Any]] = []
    until = None
    while len(found) < most:
        query = {"status": status, "since": since, "until": until, "limit": min(most - len(found), PAGE)}
        page = api.get("projects", project, "requests", **query)
        found += page["requests"]
        until = page["next_until"]
        if until is None:
            break
    return found[:most]


def _print(found: list[dict[str, Any]], seen: Seen, as_json: bool) -> None:
    for one in reversed(found):
        key = (one["at_us"], one["id"])
        if key not in seen:
            seen.add(key)
            print(json.dumps(one) if as_json else shown(one), flush=True)


def shown(one: dict[str, Any]) -> str:
    """A request as a line: when, status, milliseconds, what was asked, what answered."""
    took = one["queue_ms"] + one["connect_ms"] + one["first_byte_ms"] + one["body_ms"]
    by = (one["instance_id"] or one["kind"])[-8:]
    what = f"{one['method']} {one['host']}{one['target']}"
    error = f" {one['error']}" if one["error"] else "" if one["whole"] else " (broken off)"
    return f"{one['at'][11:23]} {one['status'] or '---'} {took:>8.1f} ms {by:>8} {what}{error} id={one['id']}"
