"""Between the domain's values and the messages of proto/projects/v1."""

from __future__ import annotations

from control.projects.catalog.changes import Change
from control.projects.catalog.rules import BuildSettings
from control.projects.catalog.service import Project
from control.projects.deployments.service import Deployment, Request
from control.projects.previews.service import Preview
from control.projects.repositories.source import CommitSource
from kernel.times import ms_of
from proto.projects.v1 import projects_pb2 as pb


def build_from(message: pb.BuildSettings) -> BuildSettings:
    """What a message asks for; "auto" and "" both mean: detect it."""
    values = {field: getattr(message, field) for field in BuildSettings.__slots__}
    return BuildSettings(**{**values, "framework": "" if message.framework == "auto" else message.framework})


def request_from(message: pb.CreateDeploymentRequest) -> Request:
    """What a message wants deployed."""
    return Request(**{field: getattr(message, field) for field in Request.__slots__ if field != "redeploy_of"})


def change_from(message: pb.UpdateProjectRequest) -> Change:
    """What a message changes: the fields that are there."""
    said = {field.name: value for field, value in message.ListFields() if field.name in Change.__slots__}
    return Change(**{**said, **({"framework": ""} if said.get("framework") == "auto" else {})})


def project_to(project: Project) -> pb.Project:
    """A project as a message."""
    build = {field: getattr(project.build, field) for field in BuildSettings.__slots__}
    return pb.Project(
        id=project.id,
        name=project.name,
        team_id=project.team_id,
        build=pb.BuildSettings(**{**build, "framework": project.build.framework or "auto"}),
        production_branch=project.production_branch,
        created_at_ms=ms_of(project.created_at),
        live_deployment_id=project.live_deployment_id,
        version=project.version,
    )


def deployment_to(deployment: Deployment) -> pb.Deployment:
    """A deployment as a message."""
    return pb.Deployment(
        id=deployment.id,
        project_id=deployment.project_id,
        environment=deployment.environment,
        state=deployment.state,
        reason=deployment.reason,
        stage=deployment.stage,
        hint=deployment.hint,
        exit_status=deployment.exit_status,
        commit=deployment.commit_id,
        ref=deployment.ref,
        message=deployment.message,
        url=deployment.url,
        created_at_ms=ms_of(deployment.created_at),
        updated_at_ms=ms_of(deployment.updated_at),
        timings_ms=deployment.timings_ms,
        release_id=deployment.release_id,
        kind=deployment.kind,
        actor_id=deployment.actor_id,
        redeploy_of=deployment.redeploy_of,
    )


def previews_to(previews: list[Preview]) -> pb.ListPreviewsResponse:
    """Previews as a message."""
    return pb.ListPreviewsResponse(
        previews=[
            pb.Preview(
                environment=one.environment,
                created_at_ms=ms_of(one.created_at),
                deployed_at_ms=ms_of(one.deployed_at),
                expires_at_ms=ms_of(one.expires_at),
            )
            for one in previews
        ]
    )


def source_to(source: CommitSource | None) -> pb.Source | None:
    """Where a build fetches its commit; None is the gateway."""
    if source is None:
        return None
    return pb.Source(
        clone_url=source.clone_url,
        commit=source.commit,
        ref=source.ref,
        username=source.username,
        password=source.password,
    )
