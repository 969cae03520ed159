"""Where a principal enters a service, and where a handler asks what it may do."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from kernel.authority import passport, principal
from kernel.authority.permissions import Decision, Permission, Resource, decide
from kernel.errors import ShipoffError, define

PERMISSION_DENIED = define(
    "PERMISSION_DENIED", source="client", status=403, hint="ask an owner or admin of the team for a greater role"
)
# Of auth, and of the gateway, which knows from a passport that somebody is no member.
TEAM_NOT_FOUND = define("TEAM_NOT_FOUND", source="client", status=404, hint="see your teams: shipoff teams list")
PLATFORM: Final = "platform:"
REFETCH_S: Final = 5.0  # unknown key ids make it ask auth this often at most

Jwks = Mapping[str, dict[str, str]]


class Border:
    """Turns what a call says of its caller into a principal, and makes it the call's.

    A call has shown the service token before it comes here, so `platform:NAME` is believed; everybody else shows a
    passport. Who shows nothing is nobody, and may do nothing that needs a permission.

    Args:
        fetch: auth's public keys, key id to JWK.
    """

    def __init__(self, fetch: Callable[[], Awaitable[Jwks]]) -> None:
        self._fetch = fetch
        self._keys: Jwks = {}
        self._fetched_at = -REFETCH_S
        self._fetching = asyncio.Lock()

    async def enter(self, said: str) -> None:
        """Makes the caller the principal of this call.

        Args:
            said: of the call's metadata: a passport, `platform:NAME`, or "".

        Raises:
            ShipoffError: PASSPORT_INVALID; UNAVAILABLE when auth's keys can't be had.
        """
        principal.become(await self._who(said))

    async def _who(self, said: str) -> principal.Principal:
        if said.startswith(PLATFORM):
            return principal.platform(said.removeprefix(PLATFORM))
        if not said:
            return principal.NOBODY
        wanted = passport.key_id(said)
        if wanted not in self._keys:
            await self._refresh(wanted)
        if wanted not in self._keys:
            raise passport.PASSPORT_INVALID("the passport was signed by an unknown key")
        return passport.read(said, self._keys[wanted])

    async def _refresh(self, wanted: str) -> None:
        async with self._fetching:
            now = asyncio.get_running_loop().time()
            if wanted not in self._keys and now - self._fetched_at >= REFETCH_S:
                self._keys = await self._fetch()
                self._fetched_at = now


def require_platform() -> None:
    """Refuses all but the platform's own calls.

    Raises:
        ShipoffError: PERMISSION_DENIED.
    """
    if principal.current().kind is not principal.Kind.PLATFORM:
        raise PERMISSION_DENIED("only the platform itself may do this", hint="")


def allowed(permission: Permission, on: Resource) -> Decision:
    """Whether the principal of this call may do something."""
    return decide(principal.current(), permission, on)


def require(permission: Permission, on: Resource, *, hidden: ShipoffError | None = None) -> None:
    """Refuses unless the principal of this call may do something.

    Args:
        permission: that is needed.
        on: the resource.
        hidden: raised instead for those who may not even read the resource, so that they don't learn that it exists.

    Raises:
        ShipoffError: PERMISSION_DENIED with the rule that refused, or `hidden`.
    """
    decision = allowed(permission, on)
    if decision:
        return
    reads = Permission.PROJECT_READ if on.project_id else Permission.TEAM_READ
    if hidden is not None and not allowed(reads, on):
        raise hidden
    raise PERMISSION_DENIED(decision.rule)
