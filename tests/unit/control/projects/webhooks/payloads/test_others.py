"""GitLab, Gitea, Bitbucket and the platform's own payloads: with the fields that their documentation has."""

from __future__ import annotations

from typing import Any, ClassVar

import orjson
import pytest

from control.projects.webhooks.events import Ignored, PullRequest, Push, Repository
from control.projects.webhooks.payloads.parse import parse
from kernel.errors import ShipoffError

OLD, NEW, NONE = "a" * 40, "b" * 40, "0" * 40
CHANGED: dict[str, Any] = {
    "id": NEW,
    "message": "Say more",
    "added": ["docs/x.md"],
    "modified": ["a.py"],
    "removed": [],
}


def read(provider: str, event: str, payload: dict[str, Any]) -> list[Any]:
    return list(parse(provider, event, orjson.dumps(payload)))


class TestGitLab:
    project: ClassVar = {
        "id": 15,
        "path_with_namespace": "mike/shop",
        "git_http_url": "https://gitlab.example.com/mike/shop.git",
    }
    shop = Repository("15", "mike/shop", "https://gitlab.example.com/mike/shop.git")

    def push(self, **fields: Any) -> dict[str, Any]:
        body = {"object_kind": "push", "before": OLD, "after": NEW, "ref": "refs/heads/main", "project": self.project}
        return {**body, "commits": [CHANGED], "total_commits_count": 1, **fields}

    def merge(self, **fields: Any) -> dict[str, Any]:
        facts = {"iid": 4, "action": "open", "title": "Better", "last_commit": {"id": NEW}}
        facts |= {"source_project_id": 15, "target_project_id": 15, **fields}
        return {"object_kind": "merge_request", "project": self.project, "object_attributes": facts}

    def test_pushes(self) -> None:
        paths = frozenset({"docs/x.md", "a.py"})
        assert read("gitlab", "Push Hook", self.push()) == [Push(self.shop, "main", NEW, "Say more", paths)]
        (cut,) = read("gitlab", "Push Hook", self.push(total_commits_count=21))
        (new,) = read("gitlab", "Push Hook", self.push(before=NONE))
        assert cut.paths is None and new.paths is None
        (gone,) = read("gitlab", "Push Hook", self.push(after=NONE, commits=[], total_commits_count=0))
        assert gone.commit == ""
        tag = self.push(object_kind="tag_push", ref="refs/tags/v1")
        assert isinstance(read("gitlab", "Tag Push Hook", tag)[0], Ignored)

    def test_merge_requests(self) -> None:
        expected = PullRequest(self.shop, 4, NEW, "refs/merge-requests/4/head", "Better", from_fork=False)
        assert read("gitlab", "Merge Request Hook", self.merge()) == [expected]
        assert read("gitlab", "Merge Request Hook", self.merge(action="update", oldrev=OLD)) == [expected]
        assert isinstance(read("gitlab", "Merge Request Hook", self.merge(action="update"))[0], Ignored)
        for action in ("close", "merge"):
            assert read("gitlab", "Merge Request Hook", self.merge(action=action))[0].closed
        assert read("gitlab", "Merge Request Hook", self.merge(source_project_id=99))[0].from_fork


class TestGitea:
    repository: ClassVar = {"id": 140, "full_name": "gitea/shop", "clone_url": "https://git.example.com/gitea/shop.git"}
    shop = Repository("140", "gitea/shop", "https://git.example.com/gitea/shop.git")

    def push(self, **fields: Any) -> dict[str, Any]:
        body = {"ref": "refs/heads/main", "before": OLD, "after": NEW, "repository": self.repository}
        return {**body, "commits": [CHANGED], "total_commits": 1, "head_commit": CHANGED, **fields}

    def pull(self, **fields: Any) -> dict[str, Any]:
        pull = {"title": "Better", "head": {"sha": NEW, "repo_id": 140}, "base": {"repo_id": 140}}
        return {"action": "opened", "number": 3, "pull_request": pull, "repository": self.repository, **fields}

    def test_pushes(self) -> None:
        paths = frozenset({"docs/x.md", "a.py"})
        assert read("gitea", "push", self.push()) == [Push(self.shop, "main", NEW, "Say more", paths)]
        assert read("gitea", "push", self.push(total_commits=9, commits=[]))[0] == Push(
            self.shop, "main", NEW, "Say more"
        )
        assert isinstance(read("gitea", "push", self.push(ref="refs/tags/v1"))[0], Ignored)
        gone = {"ref": "feature/x", "ref_type": "branch", "repository": self.repository}
        assert read("gitea", "delete", gone) == [Push(self.shop, "feature/x", "")]
        assert isinstance(read("gitea", "delete", gone | {"ref_type": "tag"})[0], Ignored)

    def test_pull_requests(self) -> None:
        expected = PullRequest(self.shop, 3, NEW, "refs/pull/3/head", "Better", from_fork=False)
        assert read("gitea", "pull_request", self.pull()) == [expected]
        assert read("gitea", "pull_request_sync", self.pull(action="synchronized")) == [expected]
        assert read("gitea", "pull_request", self.pull(action="closed"))[0].closed
        assert isinstance(read("gitea", "pull_request", self.pull(action="label_updated"))[0], Ignored)


class TestBitbucket:
    repository: ClassVar = {"uuid": "{12}", "full_name": "ada/shop"}
    shop = Repository("{12}", "ada/shop")

    def push(self, *changes: dict[str, Any]) -> dict[str, Any]:
        return {"push": {"changes": list(changes)}, "repository": self.repository}

    def test_a_push_may_have_several_branches(self) -> None:
        moved = {"new": {"type": "branch", "name": "main", "target": {"hash": NEW, "message": "Say more"}}, "old": None}
        gone = {"new": None, "old": {"type": "branch", "name": "old"}}
        tag = {"new": {"type": "tag", "name": "v1", "target": {"hash": NEW}}, "old": None}
        found = read("bitbucket", "repo:push", self.push(moved, gone, tag))
        assert found[:2] == [Push(self.shop, "main", NEW, "Say more"), Push(self.shop, "old", "")]
        assert isinstance(found[2], Ignored)
        with pytest.raises(ShipoffError, match="PAYLOAD_INVALID"):
            read("bitbucket", "repo:push", self.push(*[moved] * 101))

    def test_a_pull_requests_commit_counts_only_when_it_is_whole(self) -> None:
        source = {"branch": {"name": "x"}, "commit": {"hash": NEW[:12]}, "repository": {"uuid": "{12}"}}
        pull = {"id": 9, "title": "Better", "source": source, "destination": {"repository": {"uuid": "{12}"}}}
        payload = {"pullrequest": pull, "repository": self.repository}
        expected = PullRequest(self.shop, 9, "", "refs/heads/x", "Better", from_fork=False)
        assert read("bitbucket", "pullrequest:created", payload) == [expected]
        source["commit"] = {"hash": NEW}
        assert read("bitbucket", "pullrequest:updated", payload)[0].commit == NEW
        assert read("bitbucket", "pullrequest:fulfilled", payload)[0].closed
        assert isinstance(read("bitbucket", "issue:created", payload)[0], Ignored)


class TestGeneric:
    def test_what_a_script_can_say(self) -> None:
        push = {"type": "push", "data": {"branch": "main", "commit": NEW, "message": "x", "paths": ["a"]}}
        assert read("generic", "generic", push) == [Push(Repository(), "main", NEW, "x", frozenset({"a"}))]
        gone = {"type": "branch.deleted", "data": {"branch": "x"}}
        assert read("generic", "generic", gone) == [Push(Repository(), "x", "")]
        pull = {"type": "pull_request.updated", "data": {"number": 7, "branch": "x", "commit": NEW, "from_fork": True}}
        assert read("generic", "generic", pull) == [
            PullRequest(Repository(), 7, NEW, "refs/heads/x", "", from_fork=True)
        ]
        closed = {"type": "pull_request.closed", "data": {"number": 7}}
        assert read("generic", "generic", closed)[0].closed

    @pytest.mark.parametrize(
        "data", [{}, {"branch": "x"}, {"branch": "x", "commit": "abc"}, {"branch": "x", "commit": NEW, "paths": [1]}]
    )
    def test_what_is_missing_is_named(self, data: dict[str, Any]) -> None:
        with pytest.raises(ShipoffError, match="PAYLOAD_INVALID"):
            read("generic", "generic", {"type": "push", "data": data})
