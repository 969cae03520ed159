"""Static sites from a real object store: the manifest's rules, conditions, ranges, codings, and its failures."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import json
import os
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pytest

from kernel.objects import ObjectStore, StoreSettings
from tests.integration.router.wire import (
    LIMIT_S,
    InProcess,
    Message,
    endpoints,
    free_port,
    read_message,
    reset,
    route,
)

MakeRouter = Callable[..., Awaitable[InProcess]]
BIG = os.urandom(3_000_000)


@dataclass
class Site:
    """A static release and the router that serves it."""

    router: InProcess
    store: ObjectStore
    project: str

    async def get(self, path: str, method: str = "GET", **headers: str) -> Message:
        """Asks for a path on a new connection."""
        lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
        raw = f"{method} {path} HTTP/1.1\r\nHost: site.test\r\n{lines}\r\n".encode()
        return await self.router.ask(raw, bodiless=method == "HEAD")

    async def publish(self, files: dict[str, bytes], host: str = "site.test", **more: Any) -> None:
        """Writes a release as the orchestrator does and routes to it."""
        key = await self.store_release(files, **more)
        self.router.put(route(host, key.split("/")[1], kind="static", manifest=key))

    async def store_release(self, files: dict[str, bytes], **more: Any) -> str:
        """Writes a release; returns the key of its manifest."""
        entries = {}
        for path, content in files.items():
            entry = await self._blob(content)
            entry["type"] = "text/html; charset=utf-8" if path.endswith(".html") else "text/plain"
            if path.endswith(".css"):
                packed = await self._blob(gzip.compress(content))
                entry["encodings"] = {"gzip": {"key": packed["key"], "size": packed["size"]}}
            entries[path] = entry
        release = f"rel_{secrets.token_hex(8)}"
        manifest = {"version": 1, "release": release, "project": self.project, "spa": False, "not_found": None}
        key = f"releases/{release}/manifest.json"
        await self.store.put(key, json.dumps({**manifest, "files": entries, **more}).encode())
        return key

    async def _blob(self, content: bytes) -> dict[str, Any]:
        digest = hashlib.sha256(content).hexdigest()
        key = f"static/{self.project}/{digest}"
        await self.store.put(key, content)
        return {"key": key, "digest": digest, "size": len(content)}


FILES = {
    "/index.html": b"<h1>home</h1>",
    "/docs/index.html": b"<h1>docs</h1>",
    "/app.3f9a1c7e.js": b"hashed",
    "/robots.txt": b"0123456789",
    "/style.css": b"body { color: red }" * 100,
    "/empty.txt": b"",
    "/big.bin": BIG,
    "/with space & ünïcode.txt": b"odd name",
    "/404.html": b"<h1>lost</h1>",
}


@pytest.fixture
async def site(make_router: MakeRouter, store_settings: StoreSettings) -> AsyncIterator[Site]:
    from router.edge.static import StaticSites

    router = await make_router(**store_settings.model_dump(include={f"s3_{n}" for n in NAMES}))
    router.edge.static = StaticSites(router.edge)
    store = ObjectStore(store_settings)
    made = Site(router, store, f"prj_{secrets.token_hex(8)}")
    await made.publish(FILES, not_found="/404.html")
    yield made
    await router.edge.static.close()
    await store.close()


NAMES = ("endpoint", "access_key", "secret_key", "bucket", "region")


async def test_files_are_served_with_type_tag_and_caching(site: Site) -> None:
    home = await site.get("/")
    assert (home.status, home.body) == (200, b"<h1>home</h1>")
    assert home["content-type"] == "text/html; charset=utf-8"
    assert home["cache-control"] == "public, max-age=0, must-revalidate"
    assert home["etag"].startswith('"')
    hashed = await site.get("/app.3f9a1c7e.js?v=1")
    assert (hashed.body, hashed["cache-control"]) == (b"hashed", "public, max-age=31536000, immutable")
    assert (await site.get("/robots.txt"))["cache-control"] == "public, max-age=0, must-revalidate"
    assert (await site.get("/empty.txt")).body == b""
    assert (await site.get("/with%20space%20&%20%C3%BCn%C3%AFcode.txt")).body == b"odd name"


async def test_the_second_request_needs_no_store(site: Site) -> None:
    for _ in range(5):
        await site.get("/robots.txt")
    metrics = site.router.edge.metrics
    assert (metrics.static_misses, metrics.static_hits) == (1, 5)


async def test_directories_have_an_index_and_a_slash(site: Site) -> None:
    assert (await site.get("/docs/")).body == b"<h1>docs</h1>"
    answer = await site.get("/docs?a=b")
    assert (answer.status, answer["location"]) == (308, "/docs/?a=b")
    assert (await site.get("//docs"))["location"] == "/docs/"


async def test_a_missing_page_is_the_sites_own(site: Site) -> None:
    answer = await site.get("/nothing")
    assert (answer.status, answer.body) == (404, b"<h1>lost</h1>")
    await site.publish({"/index.html": b"home"})
    answer = await site.get("/nothing")
    assert (answer.status, answer["x-shipoff-error"]) == (404, "NOT_IN_RELEASE")


async def test_a_single_page_app_answers_every_page_but_no_missing_asset(site: Site) -> None:
    await site.publish({"/index.html": b"app"}, spa=True)
    assert (await site.get("/users/7")).body == b"app"
    assert (await site.get("/v1.2/users", Accept="text/html,*/*")).body == b"app"
    assert (await site.get("/gone.js", Accept="*/*")).status == 404


@pytest.mark.parametrize(
    "path", ["/../secret", "/%2e%2e/%2e%2e/etc/passwd", "/..%2f..%2fx", "/docs/../../x", "/\\..\\x"]
)
async def test_there_is_nothing_to_traverse(site: Site, path: str) -> None:
    answer = await site.get(path)
    assert (answer.status, answer.body) == (404, b"<h1>lost</h1>")


async def test_a_copy_that_is_current_is_not_sent_again(site: Site) -> None:
    tag = (await site.get("/robots.txt"))["etag"]
    for condition in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        answer = await site.get("/robots.txt", If_None_Match=condition)
        assert (answer.status, answer.body, answer["etag"]) == (304, b"", tag)
    assert (await site.get("/robots.txt", If_None_Match='"other"')).status == 200


async def test_ranges(site: Site) -> None:
    for asked, body, shown in (
        ("bytes=0-3", b"0123", "bytes 0-3/10"),
        ("bytes=7-", b"789", "bytes 7-9/10"),
        ("bytes=-2", b"89", "bytes 8-9/10"),
        ("bytes=5-100", b"56789", "bytes 5-9/10"),
    ):
        answer = await site.get("/robots.txt", Range=asked)
        assert (answer.status, answer.body, answer["content-range"]) == (206, body, shown)
    for asked in ("bytes=0-1,3-4", "lines=1-2", "bytes=5-2", "bytes=x-"):
        assert (await site.get("/robots.txt", Range=asked)).status == 200
    answer = await site.get("/robots.txt", Range="bytes=10-")
    assert (answer.status, answer["x-shipoff-error"]) == (416, "RANGE_UNSATISFIABLE")
    assert answer["content-range"] == "bytes */10"
    assert (await site.get("/robots.txt", Range="bytes=0-1", If_Range='"old"')).body == FILES["/robots.txt"]
    tag = (await site.get("/robots.txt"))["etag"]
    assert (await site.get("/robots.txt", Range="bytes=0-1", If_Range=tag)).body == b"01"


async def test_large_files_stream_whole_and_in_part(site: Site) -> None:
    assert (await site.get("/big.bin")).body == BIG
    part = await site.get("/big.bin", Range="bytes=1000000-1999999")
    assert (part.status, part.body) == (206, BIG[1_000_000:2_000_000])


async def test_a_client_that_does_not_read_stops_the_store(site: Site) -> None:
    reader, writer = await site.router.connect()
    writer.transport.pause_reading()  # type: ignore[attr-defined]
    for _ in range(5):
        writer.write(b"GET /big.bin HTTP/1.1\r\nHost: site.test\r\n\r\n")
    await asyncio.sleep(1)
    (client,) = site.router.edge.clients
    assert client.transport.get_write_buffer_size() < 1_000_000
    writer.transport.resume_reading()  # type: ignore[attr-defined]
    for _ in range(5):
        assert (await read_message(reader)).body == BIG
    writer.close()


async def test_the_best_coding_that_the_client_takes(site: Site) -> None:
    packed = await site.get("/style.css", Accept_Encoding="br;q=1, gzip;q=0.5")
    assert (packed["content-encoding"], packed["vary"]) == ("gzip", "Accept-Encoding")
    assert gzip.decompress(packed.body) == FILES["/style.css"]
    for accepted in ("", "br", "gzip;q=0", "identity"):
        plain = await site.get("/style.css", Accept_Encoding=accepted)
        assert (plain.body, plain["content-encoding"]) == (FILES["/style.css"], "")
        assert plain["etag"] != packed["etag"]
        assert plain["vary"] == "Accept-Encoding"


async def test_head_says_what_get_would(site: Site) -> None:
    for path in ("/", "/big.bin"):
        head, full = await site.get(path, "HEAD"), await site.get(path)
        for name in ("content-length", "etag", "content-type", "cache-control"):
            assert head[name] == full[name]


async def test_other_methods_are_not_allowed(site: Site) -> None:
    answer = await site.get("/", "POST")
    assert (answer.status, answer["allow"]) == (405, "GET, HEAD")


async def test_connections_are_kept_and_pipelined(site: Site) -> None:
    reader, writer = await site.router.connect()
    paths = ["/", "/big.bin", "/nothing", "/docs", "/robots.txt"] * 2
    writer.write(b"".join(f"GET {path} HTTP/1.1\r\nHost: site.test\r\n\r\n".encode() for path in paths))
    assert [(await read_message(reader)).status for _ in paths] == [200, 200, 404, 308, 200] * 2
    writer.close()


async def test_clients_that_vanish_leave_nothing(site: Site) -> None:
    for _ in range(5):
        _, writer = await site.router.connect()
        writer.write(b"GET /big.bin HTTP/1.1\r\nHost: site.test\r\n\r\n")
        await asyncio.sleep(0.02)
        writer.transport.abort()
    async with asyncio.timeout(10):
        while site.router.edge.clients or site.router.edge.in_flight:
            await asyncio.sleep(0.02)
    assert (await site.get("/big.bin")).body == BIG


async def test_a_client_that_resets_in_the_middle_of_a_streamed_file_stops_the_store(site: Site) -> None:
    """Its task ends, and the connection to the store, which is in the middle of the file, is not used again."""
    edge = site.router.edge
    for _ in range(5):
        _, writer = await site.router.connect()
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        writer.write(b"GET /big.bin HTTP/1.1\r\nHost: site.test\r\n\r\n" * 5)
        async with asyncio.timeout(LIMIT_S):
            while not [one for one in edge.clients if one.describe()["phase"] == "LOCAL" and one.write_paused]:
                await asyncio.sleep(0.01)
        reset(writer)
        async with asyncio.timeout(LIMIT_S):
            while edge.clients or edge.in_flight or any(t.get_name() == "router.static" for t in asyncio.all_tasks()):
                await asyncio.sleep(0.01)
    assert (await site.get("/big.bin")).body == BIG


async def test_many_who_want_the_same_file_read_it_once(site: Site) -> None:
    answers = await asyncio.gather(*(site.get("/docs/") for _ in range(30)))
    assert {a.body for a in answers} == {b"<h1>docs</h1>"}


async def test_a_missing_object_and_a_missing_manifest_are_said_so(site: Site) -> None:
    key = f"releases/{secrets.token_hex(4)}/manifest.json"
    site.router.put(route("site.test", kind="static", manifest=key))
    answer = await site.get("/")
    assert (answer.status, answer["x-shipoff-error"]) == (502, "FILE_MISSING")
    files = {"/index.html": {"key": "static/none/none", "digest": "ab", "size": 3, "type": "text/html"}}
    await site.store.put(key, json.dumps({"files": files}).encode())
    answer = await site.get("/")
    assert (answer.status, answer["x-shipoff-error"]) == (502, "FILE_MISSING")


async def test_a_store_that_is_gone_takes_only_what_is_not_in_memory(site: Site) -> None:
    from router.edge.store import Store

    await site.get("/")
    assert site.router.edge.static is not None
    gone = site.router.edge.settings.model_copy(update={"s3_endpoint": f"http://127.0.0.1:{free_port()}"})
    site.router.edge.static._store = Store(gone)
    assert (await site.get("/")).status == 200
    answer = await site.get("/robots.txt")
    assert (answer.status, answer["x-shipoff-error"]) == (503, "FILES_UNAVAILABLE")


async def test_a_site_becomes_an_app_in_one_flip(site: Site) -> None:
    site.router.put(route("site.test", "rel_app", rules={"hold": {"switch_s": 0}}), endpoints("rel_app"))
    assert (await site.get("/"))["x-shipoff-error"] == "NO_INSTANCE"


# --- pages that are still open, and canaries -------------------------------------------------------------------------

OLD = {
    "/index.html": b"old page",
    "/app.11111111.js": b"old script",
    "/gone.txt": b"gone",
    "/404.html": b"<h1>lost</h1>",
}
NEW = {"/index.html": b"new page", "/app.22222222.js": b"new script", "/404.html": b"<h1>lost</h1>"}


async def test_a_page_that_is_still_open_finds_its_scripts_after_the_flip(site: Site) -> None:
    old = await site.store_release(OLD)
    new = await site.store_release(NEW, not_found="/404.html")
    site.router.put(route("site.test", "rel_new", kind="static", manifest=new, previous=old))
    assert (await site.get("/")).body == b"new page"
    assert (await site.get("/app.22222222.js")).body == b"new script"
    kept = await site.get("/app.11111111.js")
    assert (kept.status, kept.body, kept["cache-control"]) == (
        200,
        b"old script",
        "public, max-age=31536000, immutable",
    )
    for removed in ("/gone.txt", "/none", "/app.33333333.js"):  # what its owner took away is away
        assert (await site.get(removed)).body == b"<h1>lost</h1>"
    assert site.router.edge.activities.of("rel_new", 0.0).requests == 6


async def test_a_release_before_that_is_no_longer_kept_changes_nothing(site: Site) -> None:
    new = await site.store_release(NEW, not_found="/404.html")
    site.router.put(route("site.test", "rel_new", kind="static", manifest=new, previous="releases/none/manifest.json"))
    for _ in range(2):
        answer = await site.get("/app.11111111.js")
        assert (answer.status, answer.body) == (404, b"<h1>lost</h1>")


async def test_the_release_before_is_asked_for_nothing_but_files_that_only_it_may_have(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    static, read = site.router.edge.static, []
    assert static is not None
    load = static._load

    async def told(key: str) -> bytes:
        read.append(key)
        return await load(key)

    monkeypatch.setattr(static, "_load", told)
    old, new = "releases/slow/manifest.json", await site.store_release({**NEW, "/big.bin": BIG})
    site.router.put(route("site.test", "rel_new", kind="static", manifest=new, previous=old))
    for path, status in (("/", 200), ("/app.22222222.js", 200), ("/big.bin", 200), ("/none", 404), ("/none.js", 404)):
        assert (await site.get(path)).status == status
    assert old not in read
    assert (await site.get("/app.11111111.js")).status == 404
    assert old in read


async def shared(site: Site, weights: tuple[int, int], **canary: str) -> None:
    manifests = {"rel_old": await site.store_release(OLD), "rel_new": await site.store_release(NEW)}
    shares = [[release, weight] for release, weight in zip(manifests, weights, strict=True)]
    more = {"weights": shares, "manifests": manifests, "rules": {"canary": canary}}
    site.router.put(route("site.test", "rel_old", kind="static", manifest=manifests["rel_old"], **more))


async def test_a_canary_of_a_site_is_drawn_once_and_remembered_by_its_pages(site: Site) -> None:
    await shared(site, (50, 50), cookie="lane")
    seen = set()
    for _ in range(40):
        page = await site.get("/", Accept="text/html")
        seen.add(page.body)
        lane = page["set-cookie"].partition(";")[0]
        assert lane == ("lane=rel_new" if page.body == b"new page" else "lane=rel_old")
        again = await site.get("/", Accept="text/html", Cookie=lane)
        assert (again.body, again["set-cookie"]) == (page.body, "")
        assert page["cache-control"].startswith("private") and again["cache-control"].startswith("public")
    assert seen == {b"old page", b"new page"}


async def test_scripts_of_a_canary_are_found_wherever_the_draw_falls_and_set_no_cookie(site: Site) -> None:
    await shared(site, (50, 50), cookie="lane")
    for path, body in (("/app.11111111.js", b"old script"), ("/app.22222222.js", b"new script")):
        for _ in range(10):
            answer = await site.get(path, Accept="*/*")
            assert (answer.status, answer.body, answer["set-cookie"]) == (200, body, "")


async def test_weights_and_a_header_share_a_site_too(site: Site) -> None:
    await shared(site, (0, 1), header="X-Release")
    assert {(await site.get("/")).body for _ in range(5)} == {b"new page"}
    await shared(site, (1, 1), header="X-Release")
    for release, body in (("rel_old", b"old page"), ("rel_new", b"new page")):
        assert {(await site.get("/", X_Release=release)).body for _ in range(5)} == {body}
    assert {(await site.get("/")).body for _ in range(40)} == {b"old page", b"new page"}
    answered = site.router.edge.activities
    assert answered.of("rel_old", 0.0).requests + answered.of("rel_new", 0.0).requests == 55
