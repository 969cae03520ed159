"""What the API accepts. Types and limits of size are here; what values mean is for the owning service to judge."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Short = Annotated[str, Field(max_length=300)]
Command = Annotated[str, Field(max_length=5000)]


class Body(BaseModel):
    """Base of all bodies: unknown fields and wrong types are refused, never guessed."""

    model_config = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True)


class CreateProject(Body):
    """POST /v1/projects. An empty build setting means: detect it."""

    name: Short
    framework: Short = "auto"
    root_dir: Short = ""
    install_command: Command = ""
    build_command: Command = ""
    run_command: Command = ""
    output_dir: Short = ""
    health_path: Short = ""
    production_branch: Short = ""
    env: dict[str, str] = Field(default_factory=dict)


class ChangeEnv(Body):
    """PUT /v1/projects/{project}/env: all of it or, when one variable is refused, none."""

    set: dict[str, str] = Field(default_factory=dict)
    unset: list[str] = Field(default_factory=list, max_length=1000)
    deploy: bool = True


class CreateDeployment(Body):
    """POST /v1/projects/{project}/deployments: brings a release live that is there already; a build comes by git.

    `release` is rel_…, dep_… (what that brought live), an environment (what is live there), or "": for a rollback what
    served before. A change of variables (`config`) takes none.
    """

    kind: Literal["rollback", "promote", "config"]
    release: Short = ""
    environment: Short = "production"
    canary: dict[str, Any] = Field(default_factory=dict)
