"""Installation tokens: one an installation, repository and purpose, used until shortly before it expires."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal

from control.projects.github.client import GITHUB_UNAVAILABLE, GitHub, path_of

Purpose = Literal["clone", "report"]
# The least that each purpose needs; GitHub refuses what the installation has not been granted.
PERMISSIONS: Final[dict[Purpose, dict[str, str]]] = {
    "clone": {"contents": "read", "metadata": "read"},
    "report": {"statuses": "write", "deployments": "write", "pull_requests": "write", "metadata": "read"},
}
EARLY_S: Final = 300.0  # of an hour; a fetch that begins with a token must be able to end with it
KEPT: Final = 1000  # tokens in memory; the one unused for longest goes


@dataclass(slots=True)
class _Token:
    value: str = field(default="", repr=False)
    expires_at: float = 0.0
    lock: asyncio.Lock = field(default_factory=asyncio.Lock, repr=False)


class Tokens:
    """Gets tokens, each once while it is good.

    Args:
        github: the client.
        clock: unix seconds.
    """

    def __init__(self, github: GitHub, clock: Callable[[], float] = time.time) -> None:
        self._github, self._clock = github, clock
        self._kept: OrderedDict[tuple[int, str, Purpose], _Token] = OrderedDict()

    async def get(self, installation_id: int, repository_id: str, purpose: Purpose) -> str:
        """A token that opens one repository for one purpose.

        Args:
            repository_id: GitHub's, in decimal.

        Raises:
            ShipoffError: GITHUB_REFUSED (the installation is gone, suspended, or does not see the repository),
                GITHUB_UNAVAILABLE, GITHUB_BUSY.
        """
        key = (installation_id, repository_id, purpose)
        token = self._kept.setdefault(key, _Token())
        self._kept.move_to_end(key)
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        async with token.lock:  # of several who ask at once, one fetches
            if token.expires_at - EARLY_S <= self._clock():
                wanted = {"repository_ids": [int(repository_id)], "permissions": PERMISSIONS[purpose]}
                token.value, token.expires_at = _read(await self._made(installation_id, wanted))
            return token.value

    async def of_name(self, installation_id: int, name: str) -> str:
        """A token for a repository that is known by its name only; not kept.

        Raises:
            ShipoffError: as `get`.
        """
        wanted = {"repositories": [name], "permissions": PERMISSIONS["clone"]}
        return _read(await self._made(installation_id, wanted))[0]

    def forget(self, installation_id: int) -> None:
        """Drops what is kept of an installation: it is gone, or sees other repositories."""
        for key in [key for key in self._kept if key[0] == installation_id]:
            del self._kept[key]

    async def _made(self, installation_id: int, wanted: dict[str, Any]) -> Any:
        path = path_of("/app/installations/{installation}/access_tokens", installation=installation_id)
        return await self._github.wanted("POST", path, self._github.app.token(self._clock()), wanted)


def _read(answer: Any) -> tuple[str, float]:
    try:
        return str(answer["token"]), datetime.fromisoformat(answer["expires_at"]).timestamp()
    except (KeyError, TypeError, ValueError) as error:
        raise GITHUB_UNAVAILABLE("GitHub's answer has no token") from error
