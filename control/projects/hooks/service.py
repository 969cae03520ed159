"""Hooks of a project or of a team: made, found, changed, and given new secrets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from control.projects.catalog.service import lock as lock_project
from control.projects.hooks.hook import Hook, Owner, opened, place
from control.projects.hooks.rules import (
    HookKind,
    TargetRules,
    check_filters,
    check_kind,
    check_name,
    check_target,
)
from control.projects.hooks.signature import new_secret
from kernel import ids
from kernel.audit import record
from kernel.database import Database, load_queries
from kernel.database.pool import Row, Transaction
from kernel.errors import define
from kernel.sealing import Sealer

HOOK_NOT_FOUND = define("HOOK_NOT_FOUND", source="client", status=404, hint="see which there are: shipoff hooks list")
HOOK_LIMIT = define("HOOK_LIMIT", source="client", status=409, hint="delete one that is not needed: shipoff hooks list")
HOOK_HAS_NO_SECRET = define(
    "HOOK_HAS_NO_SECRET", source="client", status=409, hint="only hooks of the kind webhook are signed"
)

SQL: Final = load_queries("control.projects.hooks")
MOST: Final = 20  # hooks of one project, or of one team
OVERLAP_S: Final = 24 * 3600  # a secret that was replaced signs beside the new one for so long
_TEAM_LOCK: Final = "select pg_advisory_xact_lock(hashtextextended('hooks/' || $1, 0))"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What somebody wants of a hook; None leaves it as it is."""

    name: str | None = None
    target: str | None = None
    events: Sequence[str] | None = None
    environments: Sequence[str] | None = None
    active: bool | None = None


class Hooks:
    """Makes and changes hooks; who may is decided before (server.py)."""

    def __init__(self, database: Database, sealer: Sealer, targets: TargetRules) -> None:
        self._database, self._sealer, self._targets = database, sealer, targets

    async def create(self, owner: Owner, kind: str, wanted: Wanted) -> Hook:
        """Makes a hook.

        Raises:
            ShipoffError: HOOK_INVALID, URL_INVALID, HOOK_LIMIT, PROJECT_NOT_FOUND.
        """
        of_kind = check_kind(kind)
        name, events, environments = check_name(wanted.name or ""), wanted.events or (), wanted.environments or ()
        check_filters(events, environments)
        target, host = check_target(of_kind, wanted.target or "", self._targets)
        hook_id, secret = ids.new("hok"), new_secret() if of_kind is HookKind.WEBHOOK else ""
        async with self._database.transaction() as tx:
            await _alone(tx, owner)
            if await tx.fetchval(SQL["count"], owner.key) >= MOST:
                raise HOOK_LIMIT(f"there are {MOST} hooks already")
            row = await tx.fetchrow(
                SQL["insert"],
                hook_id,
                "" if owner.project_id else owner.team_id,
                owner.project_id,
                name,
                of_kind,
                self._sealer.seal(target, place(hook_id, "target")),
                host,
                self._sealer.seal([secret], place(hook_id, "secrets")) if secret else None,
                list(dict.fromkeys(events)),
                list(dict.fromkeys(environments)),
            )
            made = self._hook(owner, row, fresh=secret)
            await _record(tx, "hook.create", None, made)
        return made

    async def of(self, owner: Owner) -> list[Hook]:
        """All hooks of a project, or of a team as a whole, the oldest first."""
        return [self._hook(owner, row) for row in await self._database.fetch(SQL["list"], owner.key)]

    async def get(self, owner: Owner, hook_id: str) -> Hook:
        """One hook.

        Raises:
            ShipoffError: HOOK_NOT_FOUND, also when it is another owner's.
        """
        return self._hook(owner, await self._database.fetchrow(SQL["get"], hook_id, owner.key), hook_id)

    async def update(self, owner: Owner, hook_id: str, wanted: Wanted) -> Hook:
        """Changes what is wanted. Switched off, it forgets what waits; switched on, it begins anew.

        Raises:
            ShipoffError: HOOK_NOT_FOUND, HOOK_INVALID, URL_INVALID.
        """
        async with self._database.transaction() as tx:
            now = await self._locked(tx, owner, hook_id)
            changed = {name: value for name in Wanted.__slots__ if (value := getattr(wanted, name)) is not None}
            name, events = check_name(changed.get("name", now.name)), changed.get("events", now.events)
            environments, active = changed.get("environments", now.environments), changed.get("active", now.active)
            check_filters(events, environments)
            target, host = check_target(now.kind, changed.get("target", now.target), self._targets)
            row = await tx.fetchrow(
                SQL["update"],
                hook_id,
                name,
                self._sealer.seal(target, place(hook_id, "target")),
                host,
                list(dict.fromkeys(events)),
                list(dict.fromkeys(environments)),
                active,
            )
            if not active:
                await tx.execute(SQL["give_up"], hook_id)
            then = self._hook(owner, row)
            await _record(tx, "hook.update", now, then)
        return then

    async def rotate(self, owner: Owner, hook_id: str) -> Hook:
        """Gives a webhook a new secret; the present one signs beside it for `OVERLAP_S`, an older one no more.

        Raises:
            ShipoffError: HOOK_NOT_FOUND, HOOK_HAS_NO_SECRET.
        """
        async with self._database.transaction() as tx:
            now = await self._locked(tx, owner, hook_id)
            if not now.secrets:
                raise HOOK_HAS_NO_SECRET(f"{hook_id} is of the kind {now.kind}")
            secret = new_secret()
            sealed = self._sealer.seal([secret, now.secrets[0]], place(hook_id, "secrets"))
            row = await tx.fetchrow(SQL["rotate"], hook_id, sealed, OVERLAP_S)
            await record(tx, "hook.rotate", team_id=owner.team_id, project_id=owner.project_id, target=hook_id)
        return self._hook(owner, row, fresh=secret)

    async def delete(self, owner: Owner, hook_id: str) -> None:
        """Deletes a hook with its log.

        Raises:
            ShipoffError: HOOK_NOT_FOUND.
        """
        async with self._database.transaction() as tx:
            gone = self._hook(owner, await tx.fetchrow(SQL["delete"], hook_id, owner.key), hook_id)
            await _record(tx, "hook.delete", gone, None)

    async def _locked(self, tx: Transaction, owner: Owner, hook_id: str) -> Hook:
        return self._hook(owner, await tx.fetchrow(SQL["lock"], hook_id, owner.key), hook_id)

    def _hook(self, owner: Owner, row: Row | None, hook_id: str = "", fresh: str = "") -> Hook:
        if row is None:
            raise _missing(hook_id)
        return opened(row, owner, self._sealer, fresh)


async def _record(tx: Transaction, action: str, before: Hook | None, after: Hook | None) -> None:
    """Tells the audit log; of a target the host, because its path is a secret."""
    hook = after or before
    assert hook is not None  # noqa: S101 - one of them is what the action is about
    then = _shown(after)
    if before and after and before.target != after.target:
        then["target"] = "changed"
    await record(
        tx,
        action,
        team_id=hook.owner.team_id,
        project_id=hook.owner.project_id,
        target=hook.id,
        before=_shown(before),
        after=then,
    )


def _shown(hook: Hook | None) -> dict[str, Any]:
    if hook is None:
        return {}
    return {
        "name": hook.name,
        "kind": hook.kind.value,
        "host": hook.host,
        "events": hook.events,
        "environments": hook.environments,
        "active": hook.active,
    }


async def _alone(tx: Transaction, owner: Owner) -> None:
    """Excludes others who add a hook for this owner, so that they are counted one after the other."""
    if owner.project_id:
        await lock_project(tx, owner.project_id)
    else:
        await tx.execute(_TEAM_LOCK, owner.team_id)


def _missing(hook_id: str) -> Exception:
    return HOOK_NOT_FOUND(f"there is no hook {hook_id[:80]!r}")
