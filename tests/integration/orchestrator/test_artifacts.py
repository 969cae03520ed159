"""Artifacts in a real object store."""

from __future__ import annotations

import gzip
import os
from collections.abc import AsyncIterator
from pathlib import Path

import orjson
import pytest

from kernel import ids
from kernel.errors import ShipoffError
from kernel.objects import ObjectStore, StoreSettings
from orchestrator.build.artifact import Artifacts
from orchestrator.build.slug import unpack
from orchestrator.build.static_files import StaticLimits


@pytest.fixture
async def object_store(store_settings: StoreSettings) -> AsyncIterator[ObjectStore]:
    store = ObjectStore(store_settings)
    yield store
    await store.close()


@pytest.fixture
def artifacts(object_store: ObjectStore, tmp_path: Path) -> Artifacts:
    return Artifacts(
        object_store, tmp_path / "scratch", StaticLimits(total_bytes=1 << 20, file_bytes=1 << 19, files=20)
    )


def site(root: Path) -> Path:
    (root / "css").mkdir(parents=True)
    (root / "index.html").write_text("<h1>home</h1>" + "text " * 1000)
    (root / "404.html").write_text("gone")
    (root / "css/site.css").write_text("body {}")
    (root / "logo.png").write_bytes(os.urandom(5000))
    (root / ".env").write_text("SECRET=1")
    return root


async def test_a_static_site_becomes_files_and_a_manifest(
    artifacts: Artifacts, object_store: ObjectStore, tmp_path: Path
) -> None:
    project, release = ids.new("prj"), ids.new("rel")
    made = await artifacts.publish_static(project, release, site(tmp_path / "site"), spa=True)
    key = made.manifest
    assert (made.files, made.new) == (4, 4)
    assert key == f"releases/{release}/manifest.json"
    manifest = orjson.loads(await object_store.get(key))
    assert {name: manifest[name] for name in ("version", "release", "project", "spa", "not_found")} == {
        "version": 1,
        "release": release,
        "project": project,
        "spa": True,
        "not_found": "/404.html",
    }
    assert set(manifest["files"]) == {"/index.html", "/404.html", "/css/site.css", "/logo.png"}
    entry = manifest["files"]["/index.html"]
    assert entry["key"] == f"static/{project}/{entry['digest']}"
    assert entry["type"] == "text/html; charset=utf-8"
    plain = await object_store.get(entry["key"])
    assert len(plain) == entry["size"]
    packed = entry["encodings"]["gzip"]
    compressed = await object_store.get(packed["key"])
    assert (len(compressed), gzip.decompress(compressed)) == (packed["size"], plain)
    assert "encodings" not in manifest["files"]["/logo.png"]


async def test_the_next_release_shares_the_files_that_did_not_change(
    artifacts: Artifacts, object_store: ObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = ids.new("prj")
    puts: list[str] = []
    original = object_store.put

    async def put(key: str, body: bytes | Path, content_type: str = "application/octet-stream") -> None:
        puts.append(key)
        await original(key, body, content_type)

    monkeypatch.setattr(object_store, "put", put)
    root = site(tmp_path / "site")
    await artifacts.publish_static(project, ids.new("rel"), root)
    puts.clear()
    (root / "css/site.css").write_text("body { color: red }")
    await artifacts.publish_static(project, ids.new("rel"), root)
    assert len(puts) == 2
    assert puts[-1].endswith("/manifest.json")


async def test_a_site_that_is_too_large_is_refused_and_has_no_manifest(
    artifacts: Artifacts, object_store: ObjectStore, tmp_path: Path
) -> None:
    root = site(tmp_path / "site")
    (root / "big.bin").write_bytes(b"0" * ((1 << 19) + 1))
    release = ids.new("rel")
    with pytest.raises(ShipoffError, match=r"ARTIFACT_TOO_LARGE.*/big\.bin"):
        await artifacts.publish_static(ids.new("prj"), release, root)
    assert not await object_store.exists(f"releases/{release}/manifest.json")


async def test_a_slug_comes_back_as_it_went(artifacts: Artifacts, object_store: ObjectStore, tmp_path: Path) -> None:
    root = site(tmp_path / "app")
    digest = await artifacts.publish_slug(root, epoch_s=1_700_000_000)
    assert await artifacts.publish_slug(root, epoch_s=1_700_000_000) == digest
    assert await object_store.exists(f"slugs/{digest}.tar.zst")
    unpack(await artifacts.fetch_slug(digest), tmp_path / "back", digest)
    assert (tmp_path / "back/css/site.css").read_text() == "body {}"


async def test_a_slug_that_is_not_there_is_an_error_with_a_code(artifacts: Artifacts) -> None:
    with pytest.raises(ShipoffError, match="OBJECT_NOT_FOUND"):
        await artifacts.fetch_slug("0" * 64)
