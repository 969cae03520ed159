"""GitHub's payloads (https://docs.github.com/en/webhooks/webhook-events-and-payloads)."""

from __future__ import annotations

from typing import Final

from control.projects.webhooks.events import (
    Event,
    Ignored,
    InstallationChanged,
    PullRequest,
    Push,
    RepositoriesChanged,
    Repository,
    RepositoryChanged,
)
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

COMMITS_MOST: Final = 2048  # that a payload names (docs: push, `commits`)
FILES_MOST: Final = 3000  # changed files of a commit that it names
_SHOWN: Final = frozenset({"opened", "synchronize", "reopened"})


def parse(event: str, payload: Json) -> tuple[Event, ...]:
    """What a delivery says.

    Args:
        event: X-GitHub-Event.
        payload: the body.

    Raises:
        ShipoffError: PAYLOAD_INVALID.
    """
    match event:
        case "push":
            return (_push(payload),)
        case "pull_request":
            return (_pull_request(payload),)
        case "installation":
            return (_installation(payload),)
        case "installation_repositories":
            return (_repositories(payload),)
        case "repository":
            return (_repository_changed(payload),)
        case _:
            return (Ignored(f"events of type {event[:40]!r} are none of ours"),)


def _push(payload: Json) -> Event:
    ref = text(payload, "ref")
    if not ref.startswith(HEADS):
        return Ignored("tags are not deployed")
    after = commit(text(payload, "after"))
    head = payload.get("head_commit")
    return Push(
        _repository(payload),
        ref.removeprefix(HEADS),
        after,
        optional(head, "message") if isinstance(head, dict) else "",
        _paths(payload),
        installation_of(payload),
    )


def _paths(payload: Json) -> frozenset[str] | None:
    """None for a new branch, whose commits are compared with nothing, and for a forced push, which takes some back."""
    commits = records(payload, "commits")
    if payload.get("created") or payload.get("forced") or not commits or len(commits) >= COMMITS_MOST:
        return None
    return touched(commits, FILES_MOST)


def _pull_request(payload: Json) -> Event:
    action, pull = text(payload, "action"), record(payload, "pull_request")
    if action not in _SHOWN and action != "closed":
        return Ignored(f"a pull request that was {action[:40]} has no new commit")
    head, base = record(pull, "head"), record(pull, "base")
    count = number(payload, "number")
    return PullRequest(
        _repository(payload),
        count,
        "" if action == "closed" else commit(text(head, "sha")),
        f"refs/pull/{count}/head",
        optional(pull, "title"),
        # The head's repository is null when the fork is gone.
        not isinstance(head.get("repo"), dict) or head["repo"].get("id") != record(base, "repo").get("id"),
        action == "closed",
        installation_of(payload),
    )


def _installation(payload: Json) -> Event:
    match text(payload, "action"):
        case ("created" | "deleted" | "suspend" | "unsuspend") as action:
            return InstallationChanged(number(record(payload, "installation"), "id"), action)
        case other:
            return Ignored(f"an installation's {other[:40]} changes nothing here")


def _repositories(payload: Json) -> Event:
    ids = {
        kind: tuple(str(number(one, "id")) for one in records(payload, f"repositories_{kind}"))
        for kind in ("added", "removed")
    }
    return RepositoriesChanged(number(record(payload, "installation"), "id"), ids["added"], ids["removed"])


def _repository_changed(payload: Json) -> Event:
    repository, installation = _repository(payload), installation_of(payload)
    match text(payload, "action"):
        case ("renamed" | "transferred" | "deleted" | "privatized") as action:
            return RepositoryChanged(repository, action, installation)
        case other:
            return Ignored(f"a repository that was {other[:40]} stays as it is here")


def _repository(payload: Json) -> Repository:
    found = record(payload, "repository")
    return Repository(str(number(found, "id")), text(found, "full_name"), optional(found, "clone_url"))


def installation_of(payload: Json) -> int:
    """The installation that a delivery is for, 0 for none (a webhook of a single repository)."""
    found = payload.get("installation")
    return number(found, "id") if isinstance(found, dict) else 0
