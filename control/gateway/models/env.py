"""Env vars: what changes them, and how they are shown."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Literal, TypedDict

from pydantic import Field

from control.gateway.models.base import Body, Query, Short, time_of
from proto.projects.v1 import env_pb2

Scope = Literal["", "all", "build", "run"]
Version = Annotated[int, Field(ge=0, lt=2**63)]
FileText = Annotated[str, Field(max_length=512 * 1024)]


class EnvQuery(Query):
    """Which variables.

    Attributes:
        environment: only those that are set for just this: `all`, `production`, `preview` (all previews) or
            `preview/BRANCH`; empty is those of all.
    """

    environment: Short = ""


class ChangeEnv(Body):
    """A change of the variables of one environment: all of it or, when one variable is refused, none.

    Attributes:
        set: name to value.
        unset: names to remove; those that are not there are no error.
        environment: that the change is for: `all`, `production`, `preview` (all previews) or `preview/BRANCH`.
        deploy: whether what is live in that environment (for `all`: in production) gets it at once, without a build.
        scope: gives those that are set to builds or to what runs only; empty leaves it, and is `all` for new ones.
        secret: whether the values of those that are set never leave the platform again; null leaves it, and new ones
            are plain.
        expect_version: of the project; when it has another one by now, nothing is changed. 0 does not look.
    """

    set: dict[str, str] = Field(default_factory=dict)
    unset: list[str] = Field(default_factory=list, max_length=1000)
    environment: Short = "all"
    deploy: bool = True
    scope: Scope = ""
    secret: bool | None = None
    expect_version: Version = 0


class ImportEnv(Body):
    """The text of a `.env` file.

    Attributes:
        text: of the whole file; nothing is put in for `$NAME`.
        environment: that the variables are for: `all`, `production`, `preview` (all previews) or `preview/BRANCH`.
        scope: as for a change.
        secret: as for a change.
        replace: whether plain variables of that environment which the file does not have are removed.
        dry_run: says what would change, and changes nothing.
        deploy: as for a change.
        expect_version: as for a change.
    """

    text: FileText
    environment: Short = "all"
    scope: Scope = ""
    secret: bool | None = None
    replace: bool = False
    dry_run: bool = False
    deploy: bool = True
    expect_version: Version = 0


class EnvVarShape(TypedDict):
    """A variable.

    Attributes:
        name: of the variable.
        value: in clear; null for a secret, and for those who may not read values.
        secret: whether its value never leaves the platform.
        scope: who gets it: `build`, `run`, or `all`.
        environment: which environments get it: `all`, `production`, `preview` (all previews) or `preview/BRANCH`.
        updated_at: RFC 3339.
    """

    name: str
    value: str | None
    secret: bool
    scope: str
    environment: str
    updated_at: str


class EnvShape(TypedDict):
    """A project's variables.

    Attributes:
        env: sorted by name, then by environment.
        deployment_id: dep_… that brings a change live; null when there is none.
        version: of the project.
    """

    env: list[EnvVarShape]
    deployment_id: str | None
    version: int


class EnvImportShape(TypedDict):
    """What a file changed, or would change: names.

    Attributes:
        added: that were not set.
        changed: that get another value, scope or secrecy; secrets always.
        unchanged: that are as the file has them.
        removed: that the file does not have.
        dry_run: whether nothing was changed.
        deployment_id: dep_… that brings the change live; null when there is none.
        version: of the project.
    """

    added: list[str]
    changed: list[str]
    unchanged: list[str]
    removed: list[str]
    dry_run: bool
    deployment_id: str | None
    version: int


class EnvExportShape(TypedDict):
    """Variables as the text of a `.env` file.

    Attributes:
        text: of the file.
        secrets: names that it has in comments only, without their values.
    """

    text: str
    secrets: list[str]


def variables(found: Iterable[env_pb2.EnvVar]) -> list[EnvVarShape]:
    """Variables as the API shows them."""
    return [
        {
            "name": one.name,
            "value": one.value if one.HasField("value") else None,
            "secret": one.secret,
            "scope": one.scope,
            "environment": one.environment,
            "updated_at": time_of(one.updated_at_ms),
        }
        for one in found
    ]


def env(message: env_pb2.ListEnvResponse) -> EnvShape:
    """All of them, and what a change made."""
    return {
        "env": variables(message.vars),
        "deployment_id": message.deployment_id or None,
        "version": message.version,
    }


def imported(message: env_pb2.ImportEnvResponse, *, dry_run: bool) -> EnvImportShape:
    """What a file changed, as the API shows it."""
    return {
        "added": list(message.added),
        "changed": list(message.changed),
        "unchanged": list(message.unchanged),
        "removed": list(message.removed),
        "dry_run": dry_run,
        "deployment_id": message.deployment_id or None,
        "version": message.version,
    }
