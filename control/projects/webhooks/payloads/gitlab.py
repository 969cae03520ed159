"""GitLab's payloads (https://docs.gitlab.com/user/project/integrations/webhook_events/)."""

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
_CLOSED: Final = frozenset({"close", "merge"})


def parse(event: str, payload: Json) -> tuple[Event, ...]:
    """What a delivery says; its kind stands in the body (`object_kind`), and `event` is for the reason only.

    Raises:
        ShipoffError: PAYLOAD_INVALID.
    """
    match optional(payload, "object_kind"):
        case "push":
            return (_push(payload),)
        case "merge_request":
            return (_merge_request(payload),)
        case "tag_push":
            return (Ignored("tags are not deployed"),)
        case _:
            return (Ignored(f"events of type {event[:40]!r} are none of ours"),)


def _push(payload: Json) -> Event:
    ref, after = text(payload, "ref"), commit(text(payload, "after"))
    commits = records(payload, "commits")
    message = next((optional(one, "message") for one in commits if one.get("id") == after), "")
    return Push(_repository(payload), ref.removeprefix(HEADS), after, message, _paths(payload, commits))


def _paths(payload: Json, commits: list[Json]) -> frozenset[str] | None:
    """None for a new branch, and where `commits` (20 at most) has fewer than there were."""
    if not commits or payload.get("total_commits_count") != len(commits):
        return None
    if not optional(payload, "before").strip("0"):
        return None
    return touched(commits, FILES_MOST)


def _merge_request(payload: Json) -> Event:
    facts = record(payload, "object_attributes")
    action, count = optional(facts, "action"), number(facts, "iid")
    # An update without `oldrev` changed a title or a label, not the commits.
    if action not in _CLOSED | {"open", "reopen"} and not (action == "update" and facts.get("oldrev")):
        return Ignored(f"a merge request's {action[:40]} brings no new commit")
    return PullRequest(
        _repository(payload),
        count,
        "" if action in _CLOSED else commit(text(record(facts, "last_commit"), "id")),
        f"refs/merge-requests/{count}/head",
        optional(facts, "title"),
        facts.get("source_project_id") != facts.get("target_project_id"),
        action in _CLOSED,
    )


def _repository(payload: Json) -> Repository:
    found = record(payload, "project")
    return Repository(str(number(found, "id")), text(found, "path_with_namespace"), optional(found, "git_http_url"))
