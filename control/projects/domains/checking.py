"""Looks at a claim's records and writes what becomes of it.

Who holds a name is decided under a lock on the name, and in the last resort by a unique index. A holder loses a name to
another project only when the other has proven it and the DNS says, asked again at that moment, that the holder's own
record is gone: so a domain that was sold moves at once, and one whose record still stands never does.
"""

from __future__ import annotations

import random
from typing import Final

from control.projects.catalog.service import lock
from control.projects.domains import lists
from control.projects.domains.claim import Claim, Problem, State, claim_of
from control.projects.domains.decide import Patience, Standing, after
from control.projects.domains.names import covering, is_wildcard
from control.projects.domains.notices import of_domain
from control.projects.domains.records import AppsUrl, records_of
from control.projects.domains.resolver import Resolver
from control.projects.domains.service import found
from control.projects.domains.sight import Sight
from control.projects.hooks.notify import notify
from kernel.audit import record
from kernel.authority import acting_as, platform
from kernel.database import Database, load_queries
from kernel.database.pool import Transaction

SQL: Final = load_queries("control.projects.domains")
NAME: Final = "projects"


class Checking:
    """Checks claims.

    Args:
        resolver: asked.
        apps: the template of a project's own address.
        patience: how long claims are waited for.
    """

    def __init__(self, database: Database, resolver: Resolver, apps: AppsUrl, patience: Patience) -> None:
        self._database, self._resolver, self._apps, self._patience = database, resolver, apps, patience

    async def check(self, claim: Claim) -> Claim:
        """Looks, and returns the claim as it stands then.

        Raises:
            ShipoffError: DOMAIN_NOT_FOUND or PROJECT_NOT_FOUND when it went meanwhile; DNS_BUSY.
        """
        sight = await self._look(claim)
        if not claim.is_held and await self._proves(claim, sight):
            await self._contest(claim)
        return await self._settle(claim, sight)

    async def _look(self, claim: Claim) -> Sight:
        return await self._resolver.look(records_of(claim.name, claim.token, self._apps.host(claim.project_name)))

    async def _proves(self, claim: Claim, sight: Sight) -> bool:
        async with self._database.connection() as connection:
            return bool(sight.proof(txt_only=await _needs_txt(connection, claim)))

    async def _contest(self, claim: Claim) -> None:
        """Looks at the proof of another project that holds the name."""
        row = await self._database.fetchrow(SQL["holder"], claim.name)
        if row is not None and row["id"] != claim.id:
            holder = claim_of(row)
            sight = await self._look(holder)
            with acting_as(platform(NAME)):  # what is written to the other team's records names nobody of this one
                await self._settle(holder, sight, contested=True)

    async def _settle(self, claim: Claim, sight: Sight, *, contested: bool = False) -> Claim:
        async with self._database.transaction() as tx:
            await lock(tx, claim.project_id)
            before = await found(tx, claim.project_id, claim.id)
            await tx.execute(SQL["lock_name"], before.name)
            txt_only = await _needs_txt(tx, before)
            proof, problem = sight.proof(txt_only=txt_only), sight.problem(txt_only=txt_only)
            if proof and not before.is_held and await tx.fetchrow(SQL["holder"], before.name) is not None:
                proof, problem = "", Problem.HELD
            now = await tx.fetchval(SQL["database_time"])
            dice = random.random()
            standing = after(before, proof, problem, now, self._patience, contested=contested, dice=dice)
            await self._write(tx, before, sight, standing)
            return await found(tx, claim.project_id, claim.id)

    async def _write(self, tx: Transaction, before: Claim, sight: Sight, now: Standing) -> None:
        looks = [look.wire() for look in sight.looks]
        await tx.execute(
            SQL["settle"],
            before.id,
            now.state,
            now.proof,
            now.problem,
            looks,
            now.checks,
            now.absent_s,
            now.check_at,
            before.is_held and now.state not in (before.state, State.VERIFIED),
        )
        if now.state is State.VERIFIED:
            await tx.execute(SQL["note_holder"], before.name, before.team_id)
        if before.is_held != (now.state in (State.VERIFIED, State.FAILING)):
            rows = await tx.fetch(SQL["environments_of"], before.project_id, before.name)
            await lists.tell(tx, self._apps, before.project_id, [row["environment"] for row in rows])
        if now.state is not before.state and now.state is not State.PENDING:
            await record(
                tx,
                f"domain.{now.state}",
                team_id=before.team_id,
                project_id=before.project_id,
                target=before.name,
                before={"state": before.state},
                after={"state": now.state, "problem": now.problem},
            )
            await notify(tx, of_domain(before, now.state, now.problem))


async def _needs_txt(tx: Transaction, claim: Claim) -> bool:
    """Whether a CNAME is not enough (records.py); who holds the name has shown what was needed."""
    if is_wildcard(claim.name):
        return True
    if claim.is_held:
        return False
    return bool(await tx.fetchval(SQL["is_anothers"], claim.name, claim.team_id, covering(claim.name)))
