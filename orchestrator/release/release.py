"""The immutable thing that is served: artifact, env snapshot, how to run it. Nothing in it ever changes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final, cast

from kernel.database import Database, load_queries
from kernel.database.pool import Row, Transaction
from kernel.sealing import Sealer
from orchestrator.build.plan import BuildPlan, Kind

SQL: Final = load_queries("orchestrator")


@dataclass(frozen=True, slots=True)
class Release:
    """One release.

    Attributes:
        id: `rel_…`.
        artifact: static: the manifest's key in the object store; dynamic: the sha256 of the slug.
        health_strict: the owner named a health path, so only 2xx and 3xx count as healthy there.
        env: the project's variables as they were when the release was made.
        rules: what its owner said of the routes then; each goes before the plan's of the same name.
    """

    id: str
    deployment_id: str
    project_id: str
    environment: str
    kind: Kind
    artifact: str
    plan: BuildPlan
    health_strict: bool
    env: dict[str, str]
    rules: dict[str, Any] = field(default_factory=dict)


async def save(tx: Transaction, release: Release, sealer: Sealer) -> None:
    """Writes a release, its variables sealed."""
    await tx.execute(
        SQL["add_release"],
        release.id,
        release.deployment_id,
        release.project_id,
        release.environment,
        release.kind,
        release.artifact,
        release.plan.to_json(),
        release.health_strict,
        sealer.seal(release.env, release.id),
        release.rules,
    )


async def load(database: Database, release_id: str, sealer: Sealer) -> Release:
    """Reads a release.

    Raises:
        ShipoffError: SEAL_BROKEN.
    """
    row = await database.fetchrow(SQL["get_release"], release_id)
    assert row is not None  # noqa: S101 - releases are never deleted while a deployment names them
    return from_row(row, sealer)


def from_row(row: Row, sealer: Sealer) -> Release:
    """Makes a release of its row."""
    return Release(
        id=row["id"],
        deployment_id=row["deployment_id"],
        project_id=row["project_id"],
        environment=row["environment"],
        kind=row["kind"],
        artifact=row["artifact"],
        plan=BuildPlan.from_json(row["plan"]),
        health_strict=row["health_strict"],
        env=cast("dict[str, str]", sealer.open(row["sealed_env"], row["id"])),
        rules=row["rules"],
    )
