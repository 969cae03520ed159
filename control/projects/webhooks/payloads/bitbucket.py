"""Bitbucket Cloud's payloads (https://support.atlassian.com/bitbucket-cloud/docs/event-payloads/).

They name no files, so watch paths can't hold a push back. Pull requests name their commit by its first 12 characters,
which is not enough to build by: what they show is the branch's own preview.
"""

from __future__ import annotations

from typing import Final

from control.projects.webhooks.events import Event, Ignored, PullRequest, Push, Repository
from control.projects.webhooks.payloads.fields import (
    HEADS,
    PAYLOAD_INVALID,
    Json,
    commit,
    number,
    optional,
    record,
    records,
    text,
)

CHANGES_MOST: Final = 100  # branches in one push; each may become a deployment
_SHOWN: Final = frozenset({"pullrequest:created", "pullrequest:updated"})
_CLOSED: Final = frozenset({"pullrequest:fulfilled", "pullrequest:rejected"})


def parse(event: str, payload: Json) -> tuple[Event, ...]:
    """What a delivery says: a push may have several branches.

    Args:
        event: X-Event-Key.
        payload: the body.

    Raises:
        ShipoffError: PAYLOAD_INVALID.
    """
    if event == "repo:push":
        changes = records(record(payload, "push"), "changes")
        if len(changes) > CHANGES_MOST:
            raise PAYLOAD_INVALID(f"a push has more than {CHANGES_MOST} branches")
        return tuple(_change(payload, one) for one in changes) or (Ignored("the push changed nothing"),)
    if event in _SHOWN | _CLOSED:
        return (_pull_request(payload, event in _CLOSED),)
    return (Ignored(f"events of type {event[:40]!r} are none of ours"),)


def _change(payload: Json, change: Json) -> Event:
    now, before = change.get("new"), change.get("old")
    known = now if isinstance(now, dict) else before
    if not isinstance(known, dict) or known.get("type") != "branch":
        return Ignored("tags are not deployed")
    if not isinstance(now, dict):
        return Push(_repository(payload), text(known, "name"), "")
    target = record(now, "target")
    return Push(_repository(payload), text(now, "name"), commit(text(target, "hash")), optional(target, "message"))


def _pull_request(payload: Json, closed: bool) -> Event:
    pull = record(payload, "pullrequest")
    source, destination = record(pull, "source"), record(pull, "destination")
    named = optional(record(source, "commit"), "hash") if not closed else ""
    return PullRequest(
        _repository(payload),
        number(pull, "id"),
        commit(named) if len(named) >= 40 else "",
        HEADS + text(record(source, "branch"), "name"),
        optional(pull, "title"),
        not isinstance(source.get("repository"), dict)
        or source["repository"].get("uuid") != record(destination, "repository").get("uuid"),
        closed,
    )


def _repository(payload: Json) -> Repository:
    found = record(payload, "repository")
    return Repository(text(found, "uuid"), text(found, "full_name"))
