"""What the API accepts. Types and limits of size are here; what values mean is for the owning service to judge."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

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
    scope: Literal["", "all", "build", "run"] = ""


class SetRules(Body):
    """PUT /v1/projects/{project}/rules: the shapes of ARCHITECTURE.md, "Rules", checked by the projects service."""

    rules: dict[str, Any]
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


class Scale(Body):
    """POST /v1/projects/{project}/scale: `instances` for a fixed number, `min` and `max` for a range, else `auto`."""

    process: Short = "web"
    environment: Short = "production"
    instances: Annotated[int, Field(ge=0, le=1000)] | None = None
    min: Annotated[int, Field(ge=0, le=1000)] | None = None
    max: Annotated[int, Field(ge=0, le=1000)] | None = None
    auto: bool = False

    @model_validator(mode="after")
    def _one_of_three(self) -> Self:
        fixed, ranged = self.instances is not None, self.min is not None and self.max is not None
        if fixed + ranged + self.auto != 1 or (self.min is None) != (self.max is None):
            raise ValueError("say instances, or min and max, or auto")
        return self

    @property
    def bounds(self) -> tuple[int, int]:
        """The range; of no meaning with `auto`."""
        return (self.min or 0, self.max or 0) if self.instances is None else (self.instances, self.instances)


class Restart(Body):
    """POST /v1/projects/{project}/restart."""

    environment: Short = "production"


class Shell(Body):
    """The first message of GET /v1/projects/{project}/exec (WebSocket)."""

    command: list[str] = Field(min_length=1, max_length=1000)
    environment: Short = "production"
    process: Short = "web"
    instance: Short = ""
    tty: bool = False
    rows: Annotated[int, Field(ge=1, le=1000)] = 24
    cols: Annotated[int, Field(ge=1, le=1000)] = 80
    term: Annotated[str, Field(max_length=64)] = "xterm"


class SteerCanary(Body):
    """POST /v1/projects/{project}/deployments/{id}/canary: all requests to it at once, or none."""

    order: Literal["promote", "abort"]
