"""What a repository is, to an installation that sees it."""

from __future__ import annotations

from dataclasses import dataclass

from control.projects.github.client import GITHUB_REFUSED, GITHUB_UNAVAILABLE, GitHub, path_of
from control.projects.github.tokens import Tokens
from kernel.errors import ShipoffError, define

REPOSITORY_NOT_VISIBLE = define(
    "REPOSITORY_NOT_VISIBLE",
    source="client",
    status=422,
    hint="give the GitHub App access to it in the installation's settings on GitHub",
)


@dataclass(frozen=True, slots=True)
class Repository:
    """One repository: GitHub's id in decimal, owner/name, and where git clones it."""

    id: str
    full_name: str
    clone_url: str


async def find(github: GitHub, tokens: Tokens, installation_id: int, login: str, full_name: str) -> Repository:
    """A repository of an installation.

    A public repository can be read with any token. So the proof is the token itself: GitHub makes one for a repository
    by name only when the installation was given that one, and looks the name up below the installation's own account.

    Args:
        login: of the account that the installation belongs to.
        full_name: owner/name.

    Raises:
        ShipoffError: REPOSITORY_NOT_VISIBLE, GITHUB_UNAVAILABLE, GITHUB_BUSY.
    """
    owner, _, name = full_name.partition("/")
    unseen = REPOSITORY_NOT_VISIBLE(f"the installation does not see {full_name[:200]}")
    if owner.casefold() != login.casefold():
        raise unseen
    try:
        token = await tokens.of_name(installation_id, name)
    except ShipoffError as error:
        raise unseen if error.code == GITHUB_REFUSED.code else error from None
    answer = await github.call("GET", path_of("/repos/{repository}", repository=full_name), token)
    if answer.status != 200:
        raise unseen
    try:
        return Repository(str(int(answer.body["id"])), answer.body["full_name"], answer.body["clone_url"])
    except (KeyError, TypeError, ValueError) as error:
        raise GITHUB_UNAVAILABLE("GitHub's answer describes no repository") from error
