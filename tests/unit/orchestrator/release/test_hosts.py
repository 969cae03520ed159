"""Every environment has a host of its own that is one DNS label."""

import re

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.release.hosts import label_of

PROJECTS = st.from_regex(r"[a-z0-9](?:-?[a-z0-9]){0,19}", fullmatch=True)
BRANCHES = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=200)


def test_production_has_the_projects_own_name_and_a_branch_follows_after_two_hyphens() -> None:
    assert label_of("blog", "production") == "blog"
    assert label_of("blog", "preview/pr-12") == "blog--pr-12"
    assert re.fullmatch(r"blog--feature-new-login-[0-9a-f]{6}", label_of("blog", "preview/feature/New_login"))


@given(PROJECTS, BRANCHES)
def test_whatever_a_branch_is_called_its_label_is_one(project: str, branch: str) -> None:
    label = label_of(project, f"preview/{branch}")
    assert re.fullmatch(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?", label)
    assert label.startswith(f"{project}--")


@given(PROJECTS, BRANCHES, BRANCHES)
def test_two_branches_never_share_a_host(project: str, one: str, other: str) -> None:
    assert (label_of(project, f"preview/{one}") == label_of(project, f"preview/{other}")) == (one == other)


def test_a_branch_that_is_called_like_anothers_label_gets_another_one() -> None:
    made = label_of("blog", "preview/fix/a").removeprefix("blog--")
    assert label_of("blog", f"preview/{made}") != f"blog--{made}"
