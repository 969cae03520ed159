"""Claims, changes and gives up names. What a look at the DNS makes of a claim is checking.py's."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from typing import Final

from control.projects.catalog.service import lock
from control.projects.domains import lists
from control.projects.domains.claim import Claim, claim_of
from control.projects.domains.names import is_wildcard, normalise
from control.projects.domains.records import AppsUrl
from control.projects.limits.admission import admit_domain
from kernel import ids
from kernel.audit import record
from kernel.database import Database, load_queries
from kernel.database.pool import Transaction
from kernel.errors import ShipoffError, define

DOMAIN_NOT_FOUND = define(
    "DOMAIN_NOT_FOUND", source="client", status=404, hint="see the project's domains: shipoff domains list"
)
DOMAIN_EXISTS = define(
    "DOMAIN_EXISTS", source="client", status=409, hint="see how it stands: shipoff domains check NAME"
)
DOMAIN_LIMIT = define(
    "DOMAIN_LIMIT", source="client", status=409, hint="remove one that is not needed: shipoff domains remove NAME"
)
DOMAIN_REDIRECT_INVALID = define(
    "DOMAIN_REDIRECT_INVALID",
    source="client",
    status=422,
    hint="a domain redirects to another one of the project that is verified and redirects nowhere itself",
)
DOMAIN_IN_USE = define(
    "DOMAIN_IN_USE", source="client", status=409, hint="change or remove the domains that redirect to it first"
)
DOMAIN_ENVIRONMENT_INVALID = define(
    "DOMAIN_ENVIRONMENT_INVALID", source="client", status=422, hint='it is "production" or "preview/<branch>"'
)
SQL: Final = load_queries("control.projects.domains")
PRODUCTION: Final = "production"
STATUSES: Final = frozenset((301, 302, 307, 308))
DEFAULT_STATUS: Final = 308  # method and body stay as they are
TOKEN_BYTES: Final = 20
_ENVIRONMENT: Final = re.compile(r"production|preview/[^\s\0]{1,200}")


@dataclass(frozen=True, slots=True)
class DomainRules:
    """What holds for all projects.

    Attributes:
        apps: the template of a project's own address.
        platform: names that are the platform's, with all below them.
        most: domains that a project may have.
    """

    apps: AppsUrl
    platform: tuple[str, ...]
    most: int


@dataclass(frozen=True, slots=True)
class Wish:
    """What a domain is to do; None leaves it as it is."""

    environment: str | None = None
    redirect_to: str | None = None
    redirect_status: int | None = None


class Domains:
    """A project's domains; who may ask is the server's to know."""

    def __init__(self, database: Database, rules: DomainRules) -> None:
        self._database, self._rules = database, rules

    async def of(self, project_id: str) -> list[Claim]:
        """All of a project, by name."""
        return [claim_of(row) for row in await self._database.fetch(SQL["list"], project_id)]

    async def get(self, project_id: str, id_or_name: str) -> Claim:
        """One of a project's.

        Raises:
            ShipoffError: DOMAIN_NOT_FOUND, also when it is another project's.
        """
        async with self._database.connection() as connection:
            return await found(connection, project_id, _key(id_or_name))

    async def add(self, project_id: str, name: str, wish: Wish) -> Claim:
        """Claims a name, whoever else may have claimed or even hold it.

        Raises:
            ShipoffError: DOMAIN_INVALID, DOMAIN_RESERVED, DOMAIN_LIMIT, LIMIT_DOMAINS, DOMAIN_EXISTS,
                DOMAIN_REDIRECT_INVALID, DOMAIN_ENVIRONMENT_INVALID, PROJECT_NOT_FOUND.
        """
        normal = normalise(name, self._rules.platform)
        environment = _environment(wish.environment or PRODUCTION)
        status = _status(wish.redirect_status or DEFAULT_STATUS)
        async with self._database.transaction() as tx:
            await lock(tx, project_id)
            if await tx.fetchval(SQL["count"], project_id) >= self._rules.most:
                raise DOMAIN_LIMIT(f"a project has at most {self._rules.most} domains")
            await admit_domain(tx, project_id)
            target = await self._target(tx, project_id, normal, wish.redirect_to or "")
            claim = (ids.new("dom"), project_id, normal, environment, target, status, secrets.token_hex(TOKEN_BYTES))
            if await tx.fetchval(SQL["insert"], *claim) is None:
                raise DOMAIN_EXISTS(f"the project has {normal} already")
            made = await found(tx, project_id, normal)
            await _record(tx, "domain.create", None, made)
            return made

    async def change(self, project_id: str, id_or_name: str, wish: Wish) -> Claim:
        """Changes what a domain does; routers are told at once.

        Raises:
            ShipoffError: DOMAIN_NOT_FOUND, DOMAIN_REDIRECT_INVALID, DOMAIN_ENVIRONMENT_INVALID, PROJECT_NOT_FOUND.
        """
        async with self._database.transaction() as tx:
            await lock(tx, project_id)
            before = await found(tx, project_id, _key(id_or_name))
            environment = before.environment if wish.environment is None else _environment(wish.environment)
            status = before.redirect_status if wish.redirect_status is None else _status(wish.redirect_status)
            target = before.redirect_to
            if wish.redirect_to is not None:
                target = await self._target(tx, project_id, before.name, wish.redirect_to)
            await tx.execute(SQL["update"], before.id, environment, target, status)
            if before.is_held:
                # First who gets it: it moves in one step, and is never nobody's.
                await lists.tell(tx, self._rules.apps, project_id, (environment, before.environment))
            changed = await found(tx, project_id, before.id)
            await _record(tx, "domain.update", before, changed)
            return changed

    async def remove(self, project_id: str, id_or_name: str) -> None:
        """Gives a name up.

        Raises:
            ShipoffError: DOMAIN_NOT_FOUND, DOMAIN_IN_USE, PROJECT_NOT_FOUND.
        """
        async with self._database.transaction() as tx:
            await lock(tx, project_id)
            claim = await found(tx, project_id, _key(id_or_name))
            await _unused(tx, claim)
            await tx.execute(SQL["delete"], claim.id)
            await _record(tx, "domain.delete", claim, None)
            if claim.is_held:
                await lists.tell(tx, self._rules.apps, project_id, (claim.environment,))

    async def revive(self, claim: Claim) -> None:
        """Gives an expired claim its time again, because its owner asks for a look."""
        await self._database.execute(SQL["revive"], claim.id)

    async def _target(self, tx: Transaction, project_id: str, name: str, typed: str) -> str:
        """The name of the domain that another one is to redirect to."""
        if not typed:
            return ""
        target = normalise(typed, self._rules.platform)
        row = await tx.fetchrow(SQL["get"], project_id, target)
        if row is None or not (other := claim_of(row)).is_held:
            raise DOMAIN_REDIRECT_INVALID(f"{target} is no verified domain of the project")
        if target == name or other.redirect_to or is_wildcard(target):
            raise DOMAIN_REDIRECT_INVALID(f"{target} is the domain itself, a wildcard, or redirects elsewhere itself")
        if sources := [row["name"] for row in await tx.fetch(SQL["sources"], project_id, name)]:
            raise DOMAIN_REDIRECT_INVALID(f"{', '.join(sources)} redirect here")
        return target


async def found(tx: Transaction, project_id: str, key: str) -> Claim:
    """A claim by its id or normalised name.

    Raises:
        ShipoffError: DOMAIN_NOT_FOUND.
    """
    row = await tx.fetchrow(SQL["get"], project_id, key)
    if row is None:
        raise DOMAIN_NOT_FOUND(f"the project has no domain {key[:80]!r}")
    return claim_of(row)


async def _record(tx: Transaction, action: str, before: Claim | None, after: Claim | None) -> None:
    claim = after or before
    assert claim is not None  # noqa: S101 - something was changed
    await record(
        tx,
        action,
        team_id=claim.team_id,
        project_id=claim.project_id,
        target=claim.name,
        before=_fields(before),
        after=_fields(after),
    )


def _fields(claim: Claim | None) -> dict[str, object] | None:
    """What the audit log shows of a claim."""
    return None if claim is None else {name: getattr(claim, name) for name in _RECORDED}


_RECORDED: Final = ("environment", "redirect_to", "redirect_status", "state")


def _key(id_or_name: str) -> str:
    """What `found` finds by; what can't be a name is not found rather than refused."""
    try:
        return id_or_name if ids.is_id(id_or_name, "dom") else normalise(id_or_name, ())
    except ShipoffError as error:
        raise DOMAIN_NOT_FOUND(f"the project has no domain {id_or_name[:80]!r}") from error


async def _unused(tx: Transaction, claim: Claim) -> None:
    if sources := [row["name"] for row in await tx.fetch(SQL["sources"], claim.project_id, claim.name)]:
        raise DOMAIN_IN_USE(f"{', '.join(sources)} redirect to {claim.name}")


def _environment(text: str) -> str:
    if not _ENVIRONMENT.fullmatch(text):
        raise DOMAIN_ENVIRONMENT_INVALID(f"{text[:80]!r} is not an environment")
    return text


def _status(number: int) -> int:
    if number not in STATUSES:
        raise DOMAIN_REDIRECT_INVALID(f"{number} is not 301, 302, 307 or 308", hint="308 keeps method and body")
    return number
