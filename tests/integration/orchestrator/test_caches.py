"""Build caches in a real store, with the real database and sandbox: two machines of one platform."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from kernel import ids
from kernel.database import Database, migrate
from kernel.errors import ShipoffError
from kernel.objects import ObjectStore, StoreSettings
from orchestrator.build.cache_key import cache_key
from orchestrator.build.caches import KEPT, Caches
from orchestrator.build.plan import BuildPlan
from orchestrator.drivers.base import BuildJob, PackedCache
from orchestrator.drivers.local.driver import LocalDriver
from orchestrator.drivers.local.layout import LocalConfig
from tests.integration.orchestrator.workshop import Workshop, dismantle, until_async

PLAN = BuildPlan("custom", "dynamic", install="cat $XDG_CACHE_HOME/got || echo fetched > $XDG_CACHE_HOME/got")


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    migrate(database_url, "orchestrator")
    database = await Database.connect(database_url)
    yield database
    await database.close()


@pytest.fixture
async def object_store(store_settings: StoreSettings) -> AsyncIterator[ObjectStore]:
    store = ObjectStore(store_settings)
    yield store
    await store.close()


@pytest.fixture
def caches(database: Database, object_store: ObjectStore, tmp_path: Path) -> Caches:
    return Caches(database, object_store, tmp_path / "scratch")


class Machines:
    """One workshop whose local caches can be lost, as if the next build ran on another machine."""

    def __init__(self, workshop: Workshop, caches: Caches) -> None:
        self.workshop, self.caches, self.project = workshop, caches, ids.new("prj")

    async def build(self, key: str, *, environment: str = "production", project: str = "") -> list[str]:
        """Builds on a new machine; returns the lines."""
        shutil.rmtree(self.workshop.config.caches)
        self.workshop.config.caches.mkdir()
        self.workshop.lines.clear()
        project = project or self.project
        cache = self.caches.of(project, environment, key)
        job = BuildJob(ids.new("bld"), project, PLAN, self.workshop.tree({}), cache=cache)
        result = await self.workshop.build(job)
        assert result.ok, self.workshop.lines
        if any("go to the store" in text for _, text in self.workshop.lines):

            async def stored() -> bool:
                return not await cache.wanted()

            await until_async(stored)
        return [text for _, text in self.workshop.lines]


@pytest.fixture
async def machines(scratch: Path, caches: Caches) -> AsyncIterator[Machines]:
    config = LocalConfig(scratch / "work", scratch / "run", owner_pid=os.getpid(), cache_after_s=0)
    driver = LocalDriver(config)
    await driver.open()
    yield Machines(Workshop(driver, config, scratch), caches)
    await dismantle(driver, config)


async def test_what_was_downloaded_on_one_machine_is_there_on_the_next(machines: Machines) -> None:
    first = await machines.build("k1")
    assert "fetched" not in first
    assert any("go to the store" in line for line in first)
    second = await machines.build("k1")
    assert "fetched" in second
    assert any("were restored" in line for line in second)
    assert not any("go to the store" in line for line in second)


async def test_other_lock_files_begin_with_the_newest_cache_there_is(machines: Machines) -> None:
    await machines.build("k1")
    found = await machines.build("k2")
    assert "fetched" in found
    assert any("of other lock files" in line for line in found)
    assert any("go to the store" in line for line in found)


async def test_no_project_gets_anothers(machines: Machines) -> None:
    await machines.build("k1")
    assert "fetched" not in await machines.build("k1", project=ids.new("prj"))


async def test_a_preview_reads_productions_cache_and_never_writes_it(machines: Machines) -> None:
    assert "fetched" not in await machines.build("k1", environment="preview/evil")
    assert "fetched" not in await machines.build("k1")
    assert "fetched" in await machines.build("k2", environment="preview/other")


async def test_a_preview_that_installs_nothing_does_not_get_at_productions_directory_either(
    machines: Machines,
) -> None:
    await machines.build("k1")
    workshop, caches = machines.workshop, machines.caches
    plan = BuildPlan("custom", "dynamic", build="echo evil > $XDG_CACHE_HOME/got")
    for cache in (caches.of(machines.project, "preview/evil", ""), None):
        job = BuildJob(ids.new("bld"), machines.project, plan, workshop.tree({}), cache=cache)
        assert (await workshop.build(job)).ok
    cache = caches.of(machines.project, "production", "k1")
    workshop.lines.clear()
    assert (await workshop.build(BuildJob(ids.new("bld"), machines.project, PLAN, workshop.tree({}), cache=cache))).ok
    assert workshop.said() == ["fetched"]


async def test_directories_that_no_build_used_for_long_are_removed(machines: Machines) -> None:
    await machines.build("k1")
    folder, downloads = machines.workshop.config.caches, machines.workshop.driver._builds.downloads
    (folder / "left.part").write_bytes(b"x")
    kept = sorted(folder.iterdir())
    downloads.prune(0)
    assert sorted(folder.iterdir()) == kept
    downloads.prune(time.time() + 60)
    assert list(folder.iterdir()) == []


async def test_a_damaged_cache_is_told_dropped_and_made_anew(machines: Machines, object_store: ObjectStore) -> None:
    await machines.build("k1")
    for poison in (b"not a cache", b""):
        await object_store.put(f"caches/{machines.project}/production-k1.tar.zst", poison)
        found = await machines.build("k1")
        assert "cache: the stored one is damaged and not used" in found
        assert "fetched" not in found
        assert "fetched" in await machines.build("k1")


async def test_a_cache_with_another_content_than_was_stored_is_poison(
    machines: Machines, object_store: ObjectStore
) -> None:
    await machines.build("k1")
    evil = ids.new("prj")
    await machines.build("other", project=evil)
    stolen = await object_store.get(f"caches/{evil}/production-other.tar.zst")
    await object_store.put(f"caches/{machines.project}/production-k1.tar.zst", stolen + b"x")
    assert "cache: the stored one is damaged and not used" in await machines.build("k1")


async def test_a_cache_that_the_store_lost_is_as_good_as_none(machines: Machines, object_store: ObjectStore) -> None:
    await machines.build("k1")
    await object_store.delete(f"caches/{machines.project}/production-k1.tar.zst")
    found = await machines.build("k1")
    assert "cache: not restored (OBJECT_NOT_FOUND)" in found
    assert any("go to the store" in line for line in found)


async def test_only_the_newest_are_kept(caches: Caches, object_store: ObjectStore, tmp_path: Path) -> None:
    project = ids.new("prj")
    (tmp_path / "packed").write_bytes(b"x")
    for number in range(KEPT + 2):
        cache = caches.of(project, "production", f"k{number}")
        await cache.store(PackedCache(tmp_path / "packed", "d", cache.key))
    kept = [await object_store.exists(f"caches/{project}/production-k{number}.tar.zst") for number in range(KEPT + 2)]
    assert kept == [False, False, *[True] * KEPT]


async def test_what_nothing_used_for_long_goes(
    caches: Caches, database: Database, object_store: ObjectStore, tmp_path: Path
) -> None:
    old, new = ids.new("prj"), ids.new("prj")
    (tmp_path / "packed").write_bytes(b"x")
    stale = caches.of(old, "production", "k")
    await stale.store(PackedCache(tmp_path / "packed", "d", stale.key))
    await database.execute("update build_caches set used_at = now() - interval '15 days' where project_id = $1", old)
    fresh = caches.of(new, "production", "k")
    await fresh.store(PackedCache(tmp_path / "packed", "d", fresh.key))
    assert not await object_store.exists(f"caches/{old}/production-k.tar.zst")
    assert await object_store.exists(f"caches/{new}/production-k.tar.zst")
    assert await stale.wanted()


async def test_a_store_that_is_away_costs_the_cache_and_not_the_build(machines: Machines, database: Database) -> None:
    nowhere = StoreSettings(s3_endpoint="http://127.0.0.1:9", s3_access_key="x", s3_secret_key="x")
    store = ObjectStore(nowhere)
    await machines.build("k1")
    away = Machines(machines.workshop, Caches(database, store, machines.workshop.scratch / "s"))
    assert "cache: not restored (STORE_UNAVAILABLE)" in await away.build("k1", project=machines.project)
    with pytest.raises(ShipoffError, match="STORE_UNAVAILABLE"):
        await away.caches.of(machines.project, "production", "k1").load()
    await store.close()


def test_the_key_is_of_lock_files_command_and_runtime(tmp_path: Path) -> None:
    (tmp_path / "package-lock.json").write_text("{}")
    plan = BuildPlan("node", "dynamic", "node", install="npm ci")
    first = cache_key(tmp_path, plan)
    assert len(first) == 32
    (tmp_path / "index.js").write_text("changed")
    assert cache_key(tmp_path, plan) == first
    assert cache_key(tmp_path, BuildPlan("node", "dynamic", "node", install="npm ci --omit=dev")) != first
    (tmp_path / "package-lock.json").write_text('{"a": 1}')
    assert cache_key(tmp_path, plan) != first
    assert cache_key(tmp_path, BuildPlan("static", "static")) == ""
