"""What a push or a pull request means for a project."""

from __future__ import annotations

from dataclasses import replace

import pytest

from control.projects.webhooks.decide import Deploy, End, Rules, Skip, decide
from control.projects.webhooks.events import PullRequest, Push, Repository

RULES = Rules("main", (), "all", fork_previews=False)
PUSH = Push(Repository("1"), "main", "a" * 40, "Say more")
PULL = PullRequest(Repository("1"), 7, "b" * 40, "refs/pull/7/head", "Better", from_fork=False)


def test_the_production_branch_goes_to_production_and_others_to_previews() -> None:
    assert decide(RULES, PUSH) == Deploy("production", "a" * 40, "refs/heads/main", "Say more")
    feature = replace(PUSH, branch="feature/x")
    assert decide(RULES, feature) == Deploy("preview/feature/x", "a" * 40, "refs/heads/feature/x", "Say more")
    for previews in ("none", "pull_requests"):
        assert isinstance(decide(replace(RULES, previews=previews), feature), Skip)
        assert isinstance(decide(replace(RULES, previews=previews), PUSH), Deploy)


def test_a_branch_that_goes_takes_its_preview_with_it_but_never_production() -> None:
    assert decide(RULES, replace(PUSH, branch="x", commit="")) == End("preview/x")
    assert isinstance(decide(RULES, replace(PUSH, commit="")), Skip)
    assert decide(replace(RULES, previews="none"), replace(PUSH, branch="x", commit="")) == End("preview/x")


@pytest.mark.parametrize("word", ["[skip deploy]", "[deploy skip]", "[Skip Deploy]"])
def test_a_message_can_ask_for_no_deployment(word: str) -> None:
    assert isinstance(decide(RULES, replace(PUSH, message=f"Typo {word}\n\nmore")), Skip)
    assert isinstance(decide(RULES, replace(PULL, title=f"{word} Typo")), Skip)
    assert isinstance(decide(RULES, replace(PUSH, message="skip deploy")), Deploy)


def test_watch_paths_hold_back_what_touches_none() -> None:
    rules = replace(RULES, watch_paths=("apps/web",))
    assert isinstance(decide(rules, replace(PUSH, paths=frozenset({"apps/api/x"}))), Skip)
    assert isinstance(decide(rules, replace(PUSH, paths=frozenset({"apps/api/x", "apps/web/y"}))), Deploy)
    assert isinstance(decide(rules, PUSH), Deploy)


def test_a_pull_request_has_a_preview_until_it_is_closed() -> None:
    assert decide(RULES, PULL) == Deploy("preview/pr-7", "b" * 40, "refs/pull/7/head", "Better")
    assert decide(RULES, replace(PULL, commit="", closed=True)) == End("preview/pr-7")
    assert isinstance(decide(replace(RULES, previews="branches"), PULL), Skip)
    assert isinstance(decide(RULES, replace(PULL, commit="")), Skip)


def test_a_strangers_code_gets_no_secrets_unless_the_link_says_so() -> None:
    assert isinstance(decide(RULES, replace(PULL, from_fork=True)), Skip)
    assert isinstance(decide(replace(RULES, fork_previews=True), replace(PULL, from_fork=True)), Deploy)
    assert decide(RULES, replace(PULL, from_fork=True, commit="", closed=True)) == End("preview/pr-7")


def test_a_branch_can_not_take_a_pull_requests_environment() -> None:
    assert isinstance(decide(RULES, replace(PUSH, branch="pr-7")), Skip)
    assert isinstance(decide(RULES, replace(PUSH, branch="pr-7", commit="")), Skip)
