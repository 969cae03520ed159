"""The platform's own payload, for git hosts and scripts that have none of the others (docs/webhooks.md).

{"type": "push", "data": {"branch": "main", "commit": "<full id>", "message": "…", "paths": ["a", "b"]}}
{"type": "branch.deleted", "data": {"branch": "feature"}}
{"type": "pull_request.updated", "data": {"number": 7, "branch": "feature", "commit": "<full id>", "title": "…"}}
{"type": "pull_request.closed", "data": {"number": 7}}
"""

from __future__ import annotations

from control.projects.webhooks.events import Event, Ignored, PullRequest, Push, Repository
from control.projects.webhooks.payloads.fields import (
    HEADS,
    PATHS_MAX,
    PAYLOAD_INVALID,
    Json,
    commit,
    number,
    optional,
    record,
    text,
)


def parse(event: str, payload: Json) -> tuple[Event, ...]:
    """What a delivery says; `event` is its `type`.

    Raises:
        ShipoffError: PAYLOAD_INVALID.
    """
    match optional(payload, "type"):
        case "push":
            return (_push(record(payload, "data")),)
        case "branch.deleted":
            return (Push(Repository(), text(record(payload, "data"), "branch"), ""),)
        case "pull_request.updated":
            return (_pull_request(record(payload, "data")),)
        case "pull_request.closed":
            count = number(record(payload, "data"), "number")
            return (PullRequest(Repository(), count, "", "", "", from_fork=False, closed=True),)
        case _:
            return (Ignored(f"events of type {event[:40]!r} are none of ours"),)


def _push(data: Json) -> Event:
    paths = data.get("paths")
    if paths is not None and not (isinstance(paths, list) and all(isinstance(path, str) for path in paths)):
        raise PAYLOAD_INVALID("the payload's 'paths' is no list of strings")
    few = isinstance(paths, list) and len(paths) <= PATHS_MAX
    return Push(
        Repository(),
        text(data, "branch").removeprefix(HEADS),
        _whole(text(data, "commit")),
        optional(data, "message"),
        frozenset(paths) if few and paths is not None else None,
    )


def _pull_request(data: Json) -> Event:
    return PullRequest(
        Repository(),
        number(data, "number"),
        _whole(text(data, "commit")),
        HEADS + text(data, "branch").removeprefix(HEADS),
        optional(data, "title"),
        data.get("from_fork") is True,
    )


def _whole(value: str) -> str:
    if not (found := commit(value)):
        raise PAYLOAD_INVALID("a commit of zeros is none; say branch.deleted")
    return found
