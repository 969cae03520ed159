"""What a git host can tell, whichever it is. Pure values; `payloads/` makes them, `decide.py` reads them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository as a payload names it.

    Attributes:
        id: the host's, which outlives a rename; "" where it says none.
        full_name: owner/name; "" where it says none.
        clone_url: https, "" where it says none.
    """

    id: str = ""
    full_name: str = ""
    clone_url: str = ""


@dataclass(frozen=True, slots=True)
class Push:
    """A branch moved, or went.

    Attributes:
        branch: without refs/heads/.
        commit: what it names now, full object id; "" when it went.
        message: of that commit.
        paths: what the push touched; None when the payload does not say, or not all of it.
        installation_id: GitHub's, 0 elsewhere.
    """

    repository: Repository
    branch: str
    commit: str
    message: str = ""
    paths: frozenset[str] | None = None
    installation_id: int = 0


@dataclass(frozen=True, slots=True)
class PullRequest:
    """A pull or merge request has a commit to be seen, or is over.

    Attributes:
        commit: its head; "" when it is over, or the payload does not have the whole id.
        ref: where the repository itself has that commit.
        from_fork: the head belongs to another repository.
    """

    repository: Repository
    number: int
    commit: str
    ref: str
    title: str
    from_fork: bool
    closed: bool = False
    installation_id: int = 0


@dataclass(frozen=True, slots=True)
class InstallationChanged:
    """A GitHub App's installation came, went, or is suspended."""

    installation_id: int
    action: Literal["created", "deleted", "suspend", "unsuspend"]


@dataclass(frozen=True, slots=True)
class RepositoriesChanged:
    """What an installation may see; ids of repositories."""

    installation_id: int
    added: tuple[str, ...]
    removed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RepositoryChanged:
    """A repository has another name, owner or visibility, or is gone."""

    repository: Repository
    action: Literal["renamed", "transferred", "deleted", "privatized"]
    installation_id: int = 0


@dataclass(frozen=True, slots=True)
class Ignored:
    """Nothing of ours, with the reason."""

    reason: str


Event: TypeAlias = Push | PullRequest | InstallationChanged | RepositoriesChanged | RepositoryChanged | Ignored
