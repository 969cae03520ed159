"""A project's repository: what links it, and how the link is shown."""

from __future__ import annotations

from typing import Annotated, Literal, TypedDict

from pydantic import Field

from control.gateway.models.base import Body, Short, time_of
from proto.projects.v1 import repositories_pb2 as pb

Provider = Literal["github", "gitlab", "gitea", "bitbucket", "git"]
Previews = Literal["all", "branches", "pull_requests", "none"]
Patterns = Annotated[list[Short], Field(max_length=50)]
Secret = Annotated[str, Field(max_length=4096)]
Url = Annotated[str, Field(max_length=2048)]
Installation = Annotated[int, Field(ge=1, lt=1 << 63)]


class LinkRepository(Body):
    """A repository that a project is to be built from.

    Attributes:
        provider: which git host; `git` is any other, by the generic webhook.
        clone_url: `https://…`; not for GitHub.
        repository: owner/name; for GitHub only.
        installation_id: of the GitHub App, claimed by the project's team; for GitHub only.
        production_branch: what is deployed to production; absent leaves the project's.
        root_dir: the app's folder in the repository; absent leaves the project's.
        watch_paths: a push that touches none of them is skipped; none watches everything.
        previews: what gets a preview.
        fork_previews: whether pull requests from forks do: their code runs with the project's env vars.
        access_token: for cloning: a token, or user:password; never shown again. Not for GitHub.
    """

    provider: Provider
    clone_url: Url = ""
    repository: Short = ""
    installation_id: Installation | None = None
    production_branch: Short = ""
    root_dir: Short | None = None
    watch_paths: Patterns = Field(default_factory=list)
    previews: Previews = "all"
    fork_previews: bool = False
    access_token: Secret = ""

    def message(self, project_id: str) -> pb.PutLinkRequest:
        """What the service is asked."""
        return pb.PutLinkRequest(
            project_id=project_id,
            provider=self.provider,
            clone_url=self.clone_url,
            full_name=self.repository,
            installation_id=self.installation_id or 0,
            production_branch=self.production_branch,
            root_dir=self.root_dir,
            watch_paths=self.watch_paths,
            previews=self.previews,
            fork_previews=self.fork_previews,
            access_token=self.access_token,
        )


class ChangeRepository(Body):
    """A change of a link; what is absent stays.

    Attributes:
        production_branch: what is deployed to production.
        root_dir: the app's folder in the repository.
        watch_paths: replaces all.
        previews: what gets a preview.
        fork_previews: whether pull requests from forks do.
        access_token: for cloning; empty forgets it.
    """

    production_branch: Short | None = None
    root_dir: Short | None = None
    watch_paths: Patterns | None = None
    previews: Previews | None = None
    fork_previews: bool | None = None
    access_token: Secret | None = None

    def message(self, project_id: str) -> pb.UpdateLinkRequest:
        """What the service is asked."""
        return pb.UpdateLinkRequest(
            project_id=project_id,
            production_branch=self.production_branch,
            root_dir=self.root_dir,
            watch_paths=None if self.watch_paths is None else pb.Paths(paths=self.watch_paths),
            previews=self.previews,
            fork_previews=self.fork_previews,
            access_token=self.access_token,
        )


class RepositoryShape(TypedDict):
    """A project's repository link.

    Attributes:
        id: lnk_…
        provider: `github`, `gitlab`, `gitea`, `bitbucket` or `git`.
        clone_url: where git fetches.
        repository: owner/name.
        installation_id: of the GitHub App; null elsewhere.
        production_branch: what is deployed to production.
        root_dir: the app's folder in the repository.
        watch_paths: a push that touches none of them is skipped; none watches everything.
        previews: what gets a preview: `all`, `branches`, `pull_requests` or `none`.
        fork_previews: whether pull requests from forks do.
        has_access_token: whether there is one for cloning; it is never shown.
        state: `active`; `suspended` or `detached` when nothing that comes is acted on.
        reason: why it is not active.
        webhook_url: where the host sends its events.
        created_at: RFC 3339.
        updated_at: RFC 3339.
    """

    id: str
    provider: str
    clone_url: str
    repository: str
    installation_id: int | None
    production_branch: str
    root_dir: str
    watch_paths: list[str]
    previews: str
    fork_previews: bool
    has_access_token: bool
    state: str
    reason: str | None
    webhook_url: str
    created_at: str
    updated_at: str


class LinkedShape(TypedDict):
    """A link that was made.

    Attributes:
        link: the link.
        webhook_secret: what the host's webhook must be given; shown this once. Null for GitHub, where the App has one.
    """

    link: RepositoryShape
    webhook_secret: str | None


def repository(message: pb.Link, public_url: str) -> RepositoryShape:
    """A link as the API shows it."""
    return {
        "id": message.id,
        "provider": message.provider,
        "clone_url": message.clone_url,
        "repository": message.full_name,
        "installation_id": message.installation_id or None,
        "production_branch": message.production_branch,
        "root_dir": message.root_dir,
        "watch_paths": list(message.watch_paths),
        "previews": message.previews,
        "fork_previews": message.fork_previews,
        "has_access_token": message.has_access_token,
        "state": message.state,
        "reason": message.reason or None,
        "webhook_url": _webhook_url(message, public_url),
        "created_at": time_of(message.created_at_ms),
        "updated_at": time_of(message.updated_at_ms),
    }


def _webhook_url(message: pb.Link, public_url: str) -> str:
    base = f"{public_url.rstrip('/')}/v1/webhooks"
    if message.provider == "github":
        return f"{base}/github"
    return f"{base}/{'generic' if message.provider == 'git' else message.provider}/{message.id}"
