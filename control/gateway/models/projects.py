"""Projects: what makes one, and how it is shown."""

from __future__ import annotations

from typing import Annotated, Final, TypedDict

from pydantic import Field

from control.gateway.models.base import Body, Command, Page, Short, time_of
from control.gateway.settings import GatewaySettings
from proto.projects.v1 import projects_pb2

BUILD: Final = (
    "framework",
    "root_dir",
    "install_command",
    "build_command",
    "run_command",
    "output_dir",
    "health_path",
)


class CreateProject(Body):
    """A new project. An empty build setting means: detect it.

    Attributes:
        name: of letters, digits and hyphens; part of its address.
        team: whose it is to be, by id; your own when empty.
        framework: `auto`, or the id of a framework.
        root_dir: the app's folder inside the repository.
        install_command: fetches what the build needs.
        build_command: builds.
        run_command: starts a server that listens on `$PORT`.
        output_dir: of files that are served as they are, relative to `root_dir`.
        health_path: answers when an instance is ready.
        production_branch: pushes to it go to production; `main` when empty.
        env: variables for builds and for what runs.
    """

    name: Short
    team: Short = ""
    framework: Short = "auto"
    root_dir: Short = ""
    install_command: Command = ""
    build_command: Command = ""
    run_command: Command = ""
    output_dir: Short = ""
    health_path: Short = ""
    production_branch: Short = ""
    env: dict[str, str] = Field(default_factory=dict)

    def build(self) -> projects_pb2.BuildSettings:
        """The build settings among them."""
        return projects_pb2.BuildSettings(**{field: getattr(self, field) for field in BUILD})


class UpdateProject(Body):
    """A change of a project's settings: what is absent or null stays, an empty build setting means: detect it.

    Attributes:
        name: only as long as nothing is deployed, because its address is made of it.
        framework: `auto`, or the id of a framework.
        root_dir: the app's folder inside the repository.
        install_command: fetches what the build needs.
        build_command: builds.
        run_command: starts a server that listens on `$PORT`.
        output_dir: of files that are served as they are, relative to `root_dir`.
        health_path: answers when an instance is ready.
        production_branch: pushes to it go to production.
        expect_version: when the project has another one by now, nothing is changed. 0 does not look.
    """

    name: Short | None = None
    framework: Short | None = None
    root_dir: Short | None = None
    install_command: Command | None = None
    build_command: Command | None = None
    run_command: Command | None = None
    output_dir: Short | None = None
    health_path: Short | None = None
    production_branch: Short | None = None
    expect_version: Annotated[int, Field(ge=0, lt=2**63)] = 0


class TransferProject(Body):
    """To whom a project goes.

    Attributes:
        team: tem_… in which you may make projects.
    """

    team: Annotated[str, Field(min_length=1, max_length=80)]


class ProjectPage(Page):
    """Which projects.

    Attributes:
        team: tem_…; only those of this team; empty is any.
    """

    team: Short = ""


class ProjectShape(TypedDict):
    """A project, with where it is served once it is, and where to push.

    Attributes:
        id: prj_….
        name: unique on the platform.
        team_id: tem_…, whose it is.
        framework: `auto`, or the id of a framework.
        root_dir: the app's folder inside the repository.
        install_command: fetches what the build needs; empty: detected.
        build_command: builds; empty: detected.
        run_command: starts the server; empty: detected.
        output_dir: of static files; empty: detected.
        health_path: answers when an instance is ready.
        production_branch: pushes to it go to production.
        live_deployment_id: dep_… that serves production; null before the first one is live.
        url: where production is served; null before the first deployment is live.
        git_url: where to push.
        version: grows with every change of settings, variables and rules.
        created_at: RFC 3339.
    """

    id: str
    name: str
    team_id: str
    framework: str
    root_dir: str
    install_command: str
    build_command: str
    run_command: str
    output_dir: str
    health_path: str
    production_branch: str
    live_deployment_id: str | None
    url: str | None
    git_url: str
    version: int
    created_at: str


class ProjectList(TypedDict):
    """Projects.

    Attributes:
        projects: those that you may see.
        next_cursor: of the next page; null on the last.
    """

    projects: list[ProjectShape]
    next_cursor: str | None


def project(message: projects_pb2.Project, settings: GatewaySettings) -> ProjectShape:
    """A project as the API shows it."""
    live, build = message.live_deployment_id, message.build
    return {
        "id": message.id,
        "name": message.name,
        "team_id": message.team_id,
        "framework": build.framework,
        "root_dir": build.root_dir,
        "install_command": build.install_command,
        "build_command": build.build_command,
        "run_command": build.run_command,
        "output_dir": build.output_dir,
        "health_path": build.health_path,
        "production_branch": message.production_branch,
        "live_deployment_id": live or None,
        "url": settings.apps_url.format(project=message.name) if live else None,
        "git_url": f"{settings.public_url.rstrip('/')}/git/{message.name}.git",
        "version": message.version,
        "created_at": time_of(message.created_at_ms),
    }
