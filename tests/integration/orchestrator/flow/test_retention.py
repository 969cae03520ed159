"""What is kept can be brought back; what is not goes, and only what nobody else needs."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from kernel import ids
from kernel.database import Database
from kernel.objects import ObjectStore, StoreSettings
from orchestrator.release.retention import Retention
from orchestrator.routes import RouteTable


@pytest.fixture
async def store(store_settings: StoreSettings) -> AsyncIterator[ObjectStore]:
    store = ObjectStore(store_settings)
    yield store
    await store.close()


@pytest.fixture
def retention(database: Database, store: ObjectStore) -> Retention:
    return Retention(database, store, RouteTable(), count=3, days=30)


class Shelf:
    """Releases of one environment, oldest first."""

    def __init__(self, database: Database, store: ObjectStore) -> None:
        self.database, self.store = database, store

    async def add(self, artifact: str, state: str = "INACTIVE", *, days: int = 0, warm: bool = False) -> str:
        deployment, release = ids.new("dep"), ids.new("rel")
        await self.database.execute(
            "insert into deployments (id, project_id, environment, state, release_id, warm_until)"
            " values ($1, 'prj_1', 'production', $2, $3, case when $4 then now() + interval '1 minute' end)",
            deployment, state, release, warm,
        )  # fmt: skip
        await self.database.execute(
            "insert into releases (id, deployment_id, project_id, environment, kind, artifact, plan, health_strict,"
            " sealed_env, created_at) values ($1, $2, 'prj_1', 'production', 'dynamic', $3, '{}', false, '',"
            " now() - make_interval(days => $4))",
            release, deployment, artifact, days,
        )  # fmt: skip
        await self.store.put(f"slugs/{artifact}.tar.zst", b"slug")
        return release

    async def kept(self) -> list[str]:
        rows = await self.database.fetch("select id from releases where retired_at is null order by id")
        return [row["id"] for row in rows]

    async def stored(self, *artifacts: str) -> list[bool]:
        return [await self.store.exists(f"slugs/{artifact}.tar.zst") for artifact in artifacts]


@pytest.fixture
def shelf(database: Database, store: ObjectStore) -> Shelf:
    return Shelf(database, store)


async def test_the_newest_are_kept_and_a_slug_goes_when_no_kept_release_has_it(
    shelf: Shelf, retention: Retention
) -> None:
    await shelf.add("a")
    await shelf.add("b")
    kept = [await shelf.add("b"), await shelf.add("c"), await shelf.add("d", "LIVE")]
    await retention.sweep()
    assert await shelf.kept() == kept
    assert await shelf.stored("a", "b", "c", "d") == [False, True, True, True]


async def test_what_serves_or_is_warm_is_kept_whatever_its_place(shelf: Shelf, retention: Retention) -> None:
    old = [await shelf.add("a", "LIVE"), await shelf.add("b", warm=True)]
    await shelf.add("c")
    newer = [await shelf.add(artifact) for artifact in ("d", "e", "f")]
    await retention.sweep()
    assert await shelf.kept() == [*old, *newer]
    assert await shelf.stored("a", "b", "c") == [True, True, False]


async def test_age_counts_but_the_newest_two_stay(shelf: Shelf, retention: Retention) -> None:
    await shelf.add("a", days=50)
    kept = [await shelf.add("b", days=40), await shelf.add("c", "LIVE", days=31)]
    await retention.sweep()
    assert await shelf.kept() == kept


async def test_nothing_is_deleted_while_a_build_may_find_it_stored(shelf: Shelf, retention: Retention) -> None:
    for artifact in ("a", "b", "c", "d"):
        await shelf.add(artifact)
    await shelf.database.execute(
        "insert into deployments (id, project_id, environment, state)"
        " values ('dep_9', 'prj_2', 'production', 'BUILDING')"
    )
    await retention.sweep()
    assert await shelf.stored("a") == [True]
    await shelf.database.execute("update deployments set state = 'FAILED' where id = 'dep_9'")
    await retention.sweep()
    assert await shelf.stored("a") == [False]


async def test_endpoints_that_nobody_serves_are_forgotten(shelf: Shelf, retention: Retention) -> None:
    gone, live = await shelf.add("a"), await shelf.add("b", "LIVE")
    async with shelf.database.transaction() as tx:
        for release in (gone, live):
            await RouteTable().put_endpoints(tx, release, [], "asleep")
    await retention.sweep()
    rows = await shelf.database.fetch("select release_id from endpoints")
    assert [row["release_id"] for row in rows] == [live]
