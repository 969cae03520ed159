"""What a link must look like."""

from __future__ import annotations

import pytest

from control.projects.repositories import rules
from kernel.errors import ShipoffError


@pytest.mark.parametrize(
    ("provider", "token", "credential"),
    [
        ("gitlab", "", ("", "")),
        ("gitlab", "glpat-1", ("oauth2", "glpat-1")),
        ("bitbucket", "ATCT", ("x-token-auth", "ATCT")),
        ("gitea", "abc", ("git", "abc")),
        ("git", "ada:s3cret:more", ("ada", "s3cret:more")),
        ("git", ":token", ("git", ":token")),
    ],
)
def test_a_token_is_shown_as_its_host_wants_it(provider: str, token: str, credential: tuple[str, str]) -> None:
    assert rules.credential_of(provider, token) == credential


def test_a_clone_urls_name_is_what_the_host_calls_the_repository() -> None:
    assert rules.full_name_at("https://gitlab.com/group/sub/shop.git") == "group/sub/shop"
    assert rules.full_name_at("https://git.example.com/a%20b/c/") == "a b/c"


def test_private_sources_are_the_operators_word() -> None:
    assert rules.check_clone_url("http://127.0.0.1:3000/a/b.git", private=True) == "http://127.0.0.1:3000/a/b.git"
    for url in ("http://git.example.com/a.git", "https://git.example.com:3000/a.git"):
        with pytest.raises(ShipoffError, match="URL_INVALID"):
            rules.check_clone_url(url, private=False)


@pytest.mark.parametrize("name", ["a", "a/b/c", "/b", "a/", "a/..", "a/b?x", "a/b c", "ä/b", ""])
def test_githubs_names_have_an_owner_and_a_repository(name: str) -> None:
    with pytest.raises(ShipoffError, match="LINK_INVALID"):
        rules.check_full_name(name)
