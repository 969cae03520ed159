"""Between links, installations and deliveries, and the messages of proto/projects/v1/repositories.proto."""

from __future__ import annotations

from control.projects.repositories.installations import Installation
from control.projects.repositories.service import Link, Wanted
from control.projects.webhooks.history import Delivery
from kernel.times import ms_of
from proto.projects.v1 import repositories_pb2 as pb


def wanted(request: pb.PutLinkRequest, clone_url: str, full_name: str, repository_id: str = "") -> Wanted:
    """The link that a message asks for, of a repository that was looked up."""
    return Wanted(
        request.provider,
        clone_url,
        full_name,
        repository_id,
        request.installation_id if request.provider == "github" else 0,
        request.production_branch or None,
        request.root_dir if request.HasField("root_dir") else None,
        list(request.watch_paths),
        request.previews,
        request.fork_previews,
        "" if request.provider == "github" else request.access_token,
    )


def link_to(link: Link) -> pb.Link:
    """A link as a message."""
    state = "detached" if link.detached else "suspended" if link.suspended else "active"
    return pb.Link(
        id=link.id,
        project_id=link.project_id,
        provider=link.provider,
        clone_url=link.clone_url,
        full_name=link.full_name,
        repository_id=link.repository_id,
        production_branch=link.production_branch,
        root_dir=link.root_dir,
        watch_paths=link.watch_paths,
        previews=link.previews,
        fork_previews=link.fork_previews,
        installation_id=link.installation_id,
        has_access_token=link.has_token,
        state=state,
        reason=link.detached or ("the GitHub App's installation is suspended" if link.suspended else ""),
        created_at_ms=ms_of(link.created_at),
        updated_at_ms=ms_of(link.updated_at),
    )


def installation_to(one: Installation) -> pb.Installation:
    """An installation as a message."""
    return pb.Installation(
        id=one.id,
        team_id=one.team_id,
        login=one.login,
        account_type=one.account_type,
        suspended=one.suspended,
        claimed_by=one.claimed_by,
        claimed_at_ms=ms_of(one.claimed_at),
    )


def delivery_to(one: Delivery) -> pb.Delivery:
    """A delivery as a message."""
    outcomes = [
        pb.Outcome(
            action=found["action"],
            environment=found["environment"],
            deployment_id=found["deployment_id"],
            reason=found["reason"],
            code=found["code"],
        )
        for found in one.outcomes
    ]
    return pb.Delivery(
        id=one.id,
        provider=one.provider,
        event=one.event,
        delivery=one.delivery,
        state=one.state,
        attempts=one.attempts,
        error=one.error,
        received_at_ms=ms_of(one.received_at),
        done_at_ms=ms_of(one.done_at),
        bytes=one.bytes,
        outcomes=outcomes,
    )
