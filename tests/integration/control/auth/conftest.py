"""Auth's own database and parts."""

from __future__ import annotations

import base64
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest

from control.auth.keys.service import Keys
from control.auth.people import People
from control.auth.settings import AuthSettings
from kernel.database import Database
from kernel.sealing import Sealer
from kernel.streams import connect
from tests.integration.control.auth.rig import Rig


class Projects:
    """What the service projects says of every team."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self._names, self.closed = names, list[str]()

    async def names(self, team_id: str) -> list[str]:
        return list(self._names)

    async def close(self, team_id: str) -> None:
        self.closed.append(team_id)


MakeRig = Callable[..., Awaitable[Rig]]


@pytest.fixture
async def make_rig(auth_database: Database, database_url: str, redis_url: str) -> AsyncIterator[MakeRig]:
    """Makes rigs on one database; settings may be given, and names of projects that everybody owns."""
    first = base64.b64encode(secrets.token_bytes(32)).decode()
    async with AsyncExitStack() as stack:

        async def make(
            projects: tuple[str, ...] = (), redis: str | None = redis_url, seal_key: str = first, **more: Any
        ) -> Rig:
            settings = AuthSettings(
                database_url=database_url, redis_url=redis or "", service_token="x", seal_key=seal_key, **more
            )
            keys = Keys(auth_database, Sealer(seal_key))
            await keys.look()
            client = None if redis is None else connect(redis)
            if client is not None:
                stack.push_async_callback(client.aclose)

            people = People(settings, auth_database, client, keys, Projects(projects))
            stack.push_async_callback(people.stop)
            return Rig(settings, auth_database, people, keys)

        yield make


@pytest.fixture
async def rig(make_rig: MakeRig) -> Rig:
    return await make_rig()
