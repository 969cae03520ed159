"""GitHub's payloads, by the examples that it publishes (npm @octokit/webhooks-examples)."""

from __future__ import annotations

from copy import deepcopy
from functools import cache
from typing import Any

import orjson
import pytest

from control.projects.webhooks.events import (
    Ignored,
    InstallationChanged,
    PullRequest,
    Push,
    RepositoriesChanged,
    Repository,
    RepositoryChanged,
)
from control.projects.webhooks.payloads.parse import parse
from kernel.errors import ShipoffError
from tests.npm.modules import modules

HELLO = Repository("186853002", "Codertocat/Hello-World", "https://github.com/Codertocat/Hello-World.git")


@cache
def published() -> dict[str, list[dict[str, Any]]]:
    file = modules() / "@octokit/webhooks-examples/api.github.com/index.json"
    return {one["name"]: one["examples"] for one in orjson.loads(file.read_bytes())}


def examples(event: str, **fields: Any) -> list[dict[str, Any]]:
    found = [one for one in published()[event] if all(one.get(name) == value for name, value in fields.items())]
    assert found, f"no example of {event} with {fields}"
    return deepcopy(found)


def read(event: str, payload: dict[str, Any]) -> Any:
    (one,) = parse("github", event, orjson.dumps(payload))
    return one


def test_every_published_example_is_understood_or_put_aside() -> None:
    kinds = {name: {type(read(name, one)).__name__ for one in found} for name, found in published().items()}
    used = {name: sorted(found) for name, found in kinds.items() if found != {"Ignored"}}
    assert used == {
        "installation": ["Ignored", "InstallationChanged"],
        "installation_repositories": ["RepositoriesChanged"],
        "pull_request": ["Ignored", "PullRequest"],
        "push": ["Ignored", "Push"],
        "repository": ["Ignored", "RepositoryChanged"],
    }
    assert sum(len(found) for found in published().values()) > 200


def test_a_push_to_a_branch() -> None:
    payload = examples("push", ref="refs/heads/master")[0]
    commit = "6113728f27ae82c7b1a177c8d03f9e96e0adf246"
    installation = payload["installation"]["id"]
    assert read("push", payload) == Push(HELLO, "master", commit, "Initial commit", None, installation)


def test_a_push_names_what_it_touched_unless_it_can_not_have_said_all() -> None:
    payload = examples("push", ref="refs/heads/master")[0]
    commit = payload["commits"][0]
    payload |= {"created": False, "forced": False}
    payload["commits"] = [
        {**commit, "added": ["a/b.py"], "removed": ["c"], "modified": []},
        {**commit, "added": [], "removed": [], "modified": ["d"]},
    ]
    assert read("push", payload).paths == {"a/b.py", "c", "d"}
    cases: tuple[dict[str, Any], ...] = (
        {"created": True},
        {"forced": True},
        {"commits": []},
        {"commits": [payload["commits"][0]] * 2048},
        {"commits": [{**commit, "added": [f"f{n}" for n in range(3000)], "removed": [], "modified": []}]},
        {"commits": [{"id": "x"}]},
    )
    for changed in cases:
        assert read("push", payload | changed).paths is None


def test_a_branch_that_goes_has_no_commit_and_tags_are_put_aside() -> None:
    payload = examples("push", ref="refs/heads/master")[0] | {"after": "0" * 40, "deleted": True, "head_commit": None}
    assert read("push", payload) == Push(HELLO, "master", "", "", None, payload["installation"]["id"])
    for tag in examples("push", ref="refs/tags/simple-tag"):
        assert isinstance(read("push", tag), Ignored)


def test_a_pull_request_has_a_commit_while_it_is_open() -> None:
    opened = read("pull_request", examples("pull_request", action="opened")[0])
    assert opened == PullRequest(
        HELLO, 2, "ec26c3e57ca3a959ca5aad62de7213c562f8c821", "refs/pull/2/head",
        "Update the README with new information.", from_fork=False,
    )  # fmt: skip
    for payload in examples("pull_request", action="closed"):
        closed = read("pull_request", payload)
        assert (closed.closed, closed.commit) == (True, "")
    for payload in examples("pull_request", action="synchronize"):
        assert read("pull_request", payload).commit == payload["pull_request"]["head"]["sha"]


def test_a_pull_request_of_another_repository_or_of_one_that_is_gone_is_a_forks() -> None:
    payload = examples("pull_request", action="opened")[0]
    payload["pull_request"]["head"]["repo"]["id"] = 7
    assert read("pull_request", payload).from_fork
    payload["pull_request"]["head"]["repo"] = None
    assert read("pull_request", payload).from_fork


def test_installations_and_repositories() -> None:
    for action in ("created", "deleted", "suspend", "unsuspend"):
        payload = examples("installation", action=action)[0]
        assert read("installation", payload) == InstallationChanged(payload["installation"]["id"], action)
    added = examples("installation_repositories", action="added")[0]
    named = tuple(str(one["id"]) for one in added["repositories_added"])
    assert read("installation_repositories", added) == RepositoriesChanged(957387, named, ())
    for action in ("renamed", "transferred", "privatized"):
        payload = examples("repository", action=action)[0]
        found = read("repository", payload)
        assert isinstance(found, RepositoryChanged)
        assert (found.action, found.repository.full_name) == (action, payload["repository"]["full_name"])


@pytest.mark.parametrize("event", ["push", "installation", "installation_repositories", "repository"])
@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"null", b"{}", b'{"ref": 5}', b'{"action": "deleted", "ref": "refs/heads/x"}', b"\xff{}"],
)
def test_a_body_that_makes_no_sense_is_named_so(event: str, body: bytes) -> None:
    with pytest.raises(ShipoffError, match="PAYLOAD_INVALID"):
        parse("github", event, body)


@pytest.mark.parametrize("field", ["ref", "after", "repository"])
@pytest.mark.parametrize("value", [None, 1, [], {}, "x" * 40])
def test_a_field_of_another_type_is_named(field: str, value: object) -> None:
    payload = examples("push", ref="refs/heads/master")[0] | {field: value}
    if field == "ref" and isinstance(value, str):
        return  # a ref by another name is put aside
    with pytest.raises(ShipoffError, match="PAYLOAD_INVALID"):
        read("push", payload)
