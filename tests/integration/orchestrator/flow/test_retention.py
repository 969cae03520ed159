"""What is kept can be brought back; what is not goes, and only what nobody else needs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import orjson
import pytest

from kernel import ids
from kernel.database import Database, load_queries
from kernel.objects import ObjectStore, StoreSettings
from kernel.tasks import spawn
from orchestrator.build.artifact import Artifacts, files_of
from orchestrator.release.discarding import Discarding
from orchestrator.release.retention import Retention
from orchestrator.routes import RouteTable

SQL = load_queries("orchestrator")
UNUSED_S = 1800.0


@pytest.fixture
async def store(store_settings: StoreSettings) -> AsyncIterator[ObjectStore]:
    store = ObjectStore(store_settings)
    yield store
    await store.close()


@pytest.fixture
def retention(database: Database, store: ObjectStore) -> Retention:
    return Retention(database, Discarding(database, store, UNUSED_S), RouteTable(), count=3, days=30)


@pytest.fixture
def artifacts(database: Database, store: ObjectStore, tmp_path: Path) -> Artifacts:
    return Artifacts(store, tmp_path / "scratch", note=partial(database.execute, SQL["note_use"]))


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


async def used_long_ago(database: Database) -> None:
    await database.execute("update artifact_uses set used_at = now() - make_interval(secs => $1)", UNUSED_S + 1)


async def test_nothing_is_deleted_that_a_build_has_just_found_stored(
    shelf: Shelf, retention: Retention, artifacts: Artifacts
) -> None:
    for artifact in ("a", "b", "c", "d"):
        await shelf.add(artifact)
    assert await artifacts.has_slug("a")
    await retention.sweep()
    assert await shelf.stored("a") == [True]
    await used_long_ago(shelf.database)
    await retention.sweep()
    assert await shelf.stored("a") == [False]
    assert not await artifacts.has_slug("a")


async def test_a_build_that_looks_during_a_deletion_looks_after_it(
    shelf: Shelf, retention: Retention, artifacts: Artifacts, monkeypatch: pytest.MonkeyPatch
) -> None:
    for artifact in ("a", "b", "c", "d"):
        await shelf.add(artifact)
    reached, go_on, delete = asyncio.Event(), asyncio.Event(), shelf.store.delete

    async def slowly(key: str) -> None:
        reached.set()
        await go_on.wait()
        await delete(key)

    monkeypatch.setattr(shelf.store, "delete", slowly)
    sweep = spawn(retention.sweep(), "sweeps")
    await asyncio.wait_for(reached.wait(), 10)
    looks = spawn(artifacts.has_slug("a"), "looks")
    assert not (await asyncio.wait((looks,), timeout=0.3))[0]
    go_on.set()
    await asyncio.wait_for(sweep, 10)
    assert await looks is False


# --- static sites ----------------------------------------------------------------------------------------------------


class Sites:
    """Releases of a static site, oldest first."""

    def __init__(self, shelf: Shelf, artifacts: Artifacts, root: Path) -> None:
        self.shelf, self.artifacts, self.root = shelf, artifacts, root

    async def add(self, name: str, **files: str) -> str:
        output = self.root / name
        output.mkdir()
        for file, text in files.items():
            (output / f"{file}.html").write_text(text)
        made = await self.artifacts.publish_static("prj_1", ids.new("rel"), output)
        release = await self.shelf.add(made.manifest)
        await self.shelf.database.execute("update releases set kind = 'static' where id = $1", release)
        return made.manifest

    async def texts(self, manifest: str) -> list[str]:
        """What can be read of a release."""
        files = orjson.loads(await self.shelf.store.get(manifest))["files"].values()
        return [(await self.shelf.store.get(file["key"])).decode() for file in files]


@pytest.fixture
def sites(shelf: Shelf, artifacts: Artifacts, tmp_path: Path) -> Sites:
    return Sites(shelf, artifacts, tmp_path)


async def test_files_go_that_only_retired_sites_had(
    sites: Sites, retention: Retention, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestrator.release.discarding.MOST_DELETED", 2)
    large = "large " * 1000  # has compressed forms too
    gone = [
        await sites.add("1", index="one", shared="shared", large=large, a="a", b="b"),
        await sites.add("2", index="two", shared="shared", large=large),
    ]
    kept = [await sites.add(f"{n}", index=f"page {n}", shared="shared", a="a") for n in (3, 4, 5)]
    store = sites.shelf.store
    lone = orjson.loads(await store.get(gone[0]))["files"]
    keys = [lone[f"/{name}.html"]["key"] for name in ("index", "large", "b")]
    keys += [one["key"] for one in lone["/large.html"]["encodings"].values()]
    assert len(keys) == 5
    await retention.sweep()
    assert all([await store.exists(key) for key in (*gone, *keys)])  # a build may be at them
    await used_long_ago(sites.shelf.database)
    await retention.sweep()
    assert not any([await store.exists(key) for key in (*gone, *keys)])
    assert [await sites.texts(manifest) for manifest in kept] == [["a", f"page {n}", "shared"] for n in (3, 4, 5)]


async def test_a_site_that_comes_back_is_stored_again(sites: Sites, retention: Retention) -> None:
    _ = await sites.add("1", index="one")
    for n in (2, 3, 4):
        _ = await sites.add(f"{n}", index=f"page {n}")
    await used_long_ago(sites.shelf.database)
    await retention.sweep()
    again = await sites.add("5", index="one")
    assert await sites.texts(again) == ["one"]


async def test_a_manifest_that_is_lost_ends_its_release_all_the_same(sites: Sites, retention: Retention) -> None:
    first = await sites.add("1", index="one")
    for n in (2, 3, 4):
        _ = await sites.add(f"{n}", index=f"page {n}")
    await sites.shelf.store.delete(first)
    await used_long_ago(sites.shelf.database)
    await retention.sweep()
    row = await sites.shelf.database.fetchrow("select artifact_deleted from releases where artifact = $1", first)
    assert row is not None
    assert row["artifact_deleted"]
    assert files_of("prj_1") == "static/prj_1/"


async def test_endpoints_that_nobody_serves_are_forgotten(shelf: Shelf, retention: Retention) -> None:
    gone, live = await shelf.add("a"), await shelf.add("b", "LIVE")
    async with shelf.database.transaction() as tx:
        for release in (gone, live):
            await RouteTable().put_endpoints(tx, release, [], "asleep")
    await retention.sweep()
    rows = await shelf.database.fetch("select release_id from endpoints")
    assert [row["release_id"] for row in rows] == [live]
