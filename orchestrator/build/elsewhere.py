"""Brings one commit of a repository elsewhere (GitHub, GitLab, …) into a directory, as fetch.py does from the gateway.

The address is a tenant's word and the platform stands inside its own network, so the host is resolved and judged here,
and git connects to the addresses that were judged and to no other (kernel/net_guard.py). Redirects are not followed:
they could lead elsewhere, with the credential. That reaches git by its environment, in no argument, address or file.
"""

from __future__ import annotations

import asyncio
import base64
import re
from pathlib import Path
from typing import Final

from kernel.errors import ShipoffError, define
from kernel.net_guard import HOST_UNRESOLVED, NetGuard
from kernel.net_url import PORTS, Target, check_url
from orchestrator.build.fetch import Source, fetch
from orchestrator.build.git import SOURCE_UNAVAILABLE, SourceLimits
from proto.projects.v1 import projects_pb2

SOURCE_REFUSED = define(
    "SOURCE_REFUSED",
    source="client",
    status=422,
    hint="does the link's access token (or the GitHub App) still open the repository? shipoff repo show",
)
SOURCE_MOVED = define(
    "SOURCE_MOVED", source="client", status=422, hint="link the repository by its new address, which ends with .git"
)
EVERYWHERE: Final = ("0.0.0.0/0", "::/0")
# What git and curl say; a host that hides private repositories answers 404 to who may not see them.
_REFUSED: Final = re.compile(
    r"Authentication failed|could not read (?:Username|Password)|returned error: 40[134]|repository .* not found", re.I
)
_MOVED: Final = re.compile(r"redirect|returned error: 30\d", re.I)
AGAIN_S: Final = 2.0  # a token of GitHub's may be good everywhere only a moment after it was made


class Elsewhere:
    """Repositories of other hosts.

    Args:
        private: whether http and private addresses are fine too (a machine of one's own).
        proxy: through which this machine gets out; it resolves names by itself, so it has to judge them too.
        limits: what a repository may weigh.
        guard: resolves and judges hosts.
    """

    def __init__(
        self,
        *,
        private: bool = False,
        proxy: str = "",
        limits: SourceLimits | None = None,
        guard: NetGuard | None = None,
    ) -> None:
        self._private, self._proxy, self._limits = private, proxy, limits or SourceLimits()
        self._guard = guard or NetGuard(EVERYWHERE if private else ())

    async def fetch(self, wanted: projects_pb2.Source, into: Path) -> Source:
        """Fetches a commit; the directory then holds its files and no repository.

        Args:
            wanted: by its id, else, where a host gives none by id, by what the ref has had.
            into: must not exist; after a failure it does not exist either.

        Raises:
            ShipoffError: URL_INVALID, HOST_NOT_PUBLIC, HOST_UNRESOLVED, SOURCE_REFUSED, SOURCE_MOVED, SOURCE_MISSING,
                SOURCE_TOO_LARGE, SOURCE_UNAVAILABLE.
        """
        ports = range(1, 1 << 16) if self._private else PORTS
        target = check_url(wanted.clone_url, insecure=self._private, ports=ports)
        config = await self._way(target)
        try:
            return await self._once(target, wanted, into, config)
        except ShipoffError as error:
            if error.code != SOURCE_REFUSED.code or not wanted.password:
                raise
        await asyncio.sleep(AGAIN_S)
        return await self._once(target, wanted, into, config)

    async def _once(self, target: Target, wanted: projects_pb2.Source, into: Path, config: dict[str, str]) -> Source:
        try:
            return await fetch(
                target.url, wanted.ref, wanted.commit, into, _basic(wanted), self._limits, config, by_id=True
            )
        except ShipoffError as error:
            if error.code != SOURCE_UNAVAILABLE.code:
                raise
            if _MOVED.search(error.detail):
                raise SOURCE_MOVED(f"{target.host} leads to another address") from error
            if _REFUSED.search(error.detail):
                raise SOURCE_REFUSED(f"{target.host} does not give the repository: {error.detail}") from error
            raise

    async def _way(self, target: Target) -> dict[str, str]:
        """How git gets there: to the addresses that were judged, or through the proxy."""
        try:
            found = await self._guard.addresses(target.host, target.port)
        except ShipoffError as error:
            if not self._proxy or error.code != HOST_UNRESOLVED.code:
                raise
            found = []  # only the proxy knows names here
        if self._proxy:
            return {"http.proxy": self._proxy}
        shown = ",".join(f"[{address}]" if ":" in address else address for address in found)
        host = f"[{target.host}]" if ":" in target.host else target.host
        return {"http.curloptResolve": f"{host}:{target.port}:{shown}"}


def _basic(wanted: projects_pb2.Source) -> str:
    """The header's value (RFC 7617); "" without a credential."""
    if not wanted.password:
        return ""
    return "Basic " + base64.b64encode(f"{wanted.username}:{wanted.password}".encode()).decode()
