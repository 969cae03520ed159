"""A hook as it stands in the database, and what its sealed values are bound to."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from control.projects.hooks.rules import HookKind
from kernel.database.pool import Row
from kernel.sealing import Sealer


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose a hook is; without a project the team's as a whole."""

    team_id: str
    project_id: str = ""

    @property
    def key(self) -> str:
        """What the rows know it by."""
        return self.project_id or self.team_id


@dataclass(frozen=True, slots=True)
class Hook:
    """A hook as it stands in the database.

    Attributes:
        target: in clear, and no part of the repr.
        secrets: that sign now, the newest first.
        fresh: the secret, where it was made by this very call.
    """

    id: str
    owner: Owner
    name: str
    kind: HookKind
    target: str = field(repr=False)
    host: str
    secrets: tuple[str, ...] = field(repr=False)
    old_until: datetime | None
    events: tuple[str, ...]
    environments: tuple[str, ...]
    active: bool
    disabled_reason: str
    failing_since: datetime | None
    dropped: int
    created_at: datetime
    updated_at: datetime
    fresh: str = field(default="", repr=False)


def opened(row: Row, owner: Owner, sealer: Sealer, fresh: str = "") -> Hook:
    """A row in clear."""
    return Hook(
        id=row["id"],
        owner=owner,
        name=row["name"],
        kind=HookKind(row["kind"]),
        target=str(sealer.open(row["target"], place(row["id"], "target"))),
        host=row["host"],
        secrets=_good(row, sealer),
        old_until=row["old_until"],
        events=tuple(row["events"]),
        environments=tuple(row["environments"]),
        active=row["active"],
        disabled_reason=row["disabled_reason"],
        failing_since=row["failing_since"],
        dropped=row["dropped"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        fresh=fresh,
    )


def place(hook_id: str, what: str) -> str:
    """What a sealed value is bound to: copied to another row it does not open."""
    return f"{hook_id}/{what}"


def _good(row: Row, sealer: Sealer) -> tuple[str, ...]:
    if row["secrets"] is None:
        return ()
    held: Any = sealer.open(row["secrets"], place(row["id"], "secrets"))
    old = row["old_until"]
    return tuple(held) if old is not None and old > datetime.now(UTC) else tuple(held[:1])
