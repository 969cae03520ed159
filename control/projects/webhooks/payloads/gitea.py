"""Gitea's and Forgejo's payloads (https://docs.gitea.com/usage/webhooks; fields: gitea `modules/structs/hook.go`)."""

from __future__ import annotations

from typing import Final

from control.projects.webhooks.events import Event, Ignored, PullRequest, Push, Repository
from control.projects.webhooks.payloads.fields import (
    HEADS,
    Json,
    commit,
    number,
    optional,
    record,
    records,
    text,
    touched,
)

FILES_MOST: Final = 10_000  # it names no limit of its own
_SHOWN: Final = frozenset({"opened", "synchronized", "reopened"})


def parse(event: str, payload: Json) -> tuple[Event, ...]:
    """What a delivery says; a branch that goes is told by an event `delete` of its own.

    Raises:
        ShipoffError: PAYLOAD_INVALID.
    """
    match event:
        case "push":
            return (_push(payload),)
        case "pull_request" | "pull_request_sync":
            return (_pull_request(payload),)
        case "delete" if payload.get("ref_type") == "branch":
            return (Push(_repository(payload), text(payload, "ref").removeprefix(HEADS), ""),)
        case _:
            return (Ignored(f"events of type {event[:40]!r} are none of ours"),)


def _push(payload: Json) -> Event:
    ref, after = text(payload, "ref"), commit(text(payload, "after"))
    if not ref.startswith(HEADS):
        return Ignored("tags are not deployed")
    commits = records(payload, "commits")
    head = payload.get("head_commit")
    message = next((optional(one, "message") for one in commits if one.get("id") == after), "")
    return Push(
        _repository(payload),
        ref.removeprefix(HEADS),
        after,
        message or (optional(head, "message") if isinstance(head, dict) else ""),
        _paths(payload, commits),
    )


def _paths(payload: Json, commits: list[Json]) -> frozenset[str] | None:
    """None for a new branch, and where `commits` has fewer than there were (or a version that does not count them)."""
    if not commits or payload.get("total_commits") != len(commits):
        return None
    if not optional(payload, "before").strip("0"):
        return None
    return touched(commits, FILES_MOST)


def _pull_request(payload: Json) -> Event:
    action, pull, count = text(payload, "action"), record(payload, "pull_request"), number(payload, "number")
    if action not in _SHOWN and action != "closed":
        return Ignored(f"a pull request that was {action[:40]} has no new commit")
    head, base = record(pull, "head"), record(pull, "base")
    return PullRequest(
        _repository(payload),
        count,
        "" if action == "closed" else commit(text(head, "sha")),
        f"refs/pull/{count}/head",
        optional(pull, "title"),
        head.get("repo_id") != base.get("repo_id"),
        action == "closed",
    )


def _repository(payload: Json) -> Repository:
    found = record(payload, "repository")
    return Repository(str(number(found, "id")), text(found, "full_name"), optional(found, "clone_url"))
