"""A4': static sites: path -> manifest -> object, from memory or streamed from the store.

What is in memory is answered at once, in the callback that read the request. Everything else is a task, which ends with
its client. Objects are content-addressed, so what is cached is never stale.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import aclosing
from typing import TYPE_CHECKING, Final

from kernel.errors import ShipoffError
from kernel.tasks import spawn, stop
from router.core.errors import FILES_UNAVAILABLE, METHOD_REFUSED, NOT_IN_RELEASE, Refused
from router.core.manifest import Answer, Blob, File, Manifest
from router.core.negotiate import coding_of, etag, is_unchanged, range_of
from router.core.records import Route
from router.core.request import FILE, Request
from router.edge import policing
from router.edge.cache import ByteCache
from router.edge.context import Edge
from router.edge.store import Store

if TYPE_CHECKING:
    from router.edge.server import Client

_MANIFEST_BYTES: Final = 33_554_432
_OWN_CACHE: Final = b"private, max-age=0, must-revalidate"  # of an answer with a cookie, which is one visitor's
NO_FILES: Final = Manifest(b'{"files":{}}')


class StaticSites:
    """Serves the static routes of a worker."""

    def __init__(self, edge: Edge) -> None:
        self._edge = edge
        self._store = Store(edge.settings)
        self._objects: ByteCache[bytes] = ByteCache(edge.settings.cache_bytes)
        self._manifests: ByteCache[Manifest] = ByteCache(_MANIFEST_BYTES)
        self._loading: dict[str, asyncio.Task[bytes | Refused]] = {}

    async def close(self) -> None:
        """Stops reading from the store."""
        await stop(*self._loading.values())
        await self._store.close()

    def serve(self, client: Client, request: Request, route: Route) -> None:
        """Answers a request of a static route."""
        release = request.release = policing.files_of(client, request, route)
        request.activity = self._edge.activities.of(release, request.started)
        request.kind = FILE
        if request.head.method not in (b"GET", b"HEAD"):
            client.refuse(METHOD_REFUSED, "a static site only answers GET and HEAD")
            return
        keys = _manifests_of(route, release, request.head.target)
        answer = self._find(request, map(self._manifests.get, keys))
        if answer is None or not self._serve_from_memory(client, request, answer):
            client.deadline = self._edge.now + self._edge.settings.stream_s
            client.task = spawn(self._serve_from_store(client, request, keys), "router.static")

    @staticmethod
    def _find(request: Request, manifests: Iterable[Manifest | None]) -> Answer | None:
        """What a request gets: what its release has, else what a page of another may have asked for.

        Returns:
            None when a manifest that is not here (None among them) has to be read for it.
        """
        wants_page, found = b"text/html" in request.head.header(b"accept"), None
        for manifest in manifests:
            if manifest is None:
                return None
            if found is None:
                found = manifest.find(request.head.target, wants_page)
            elif (asset := manifest.find_asset(request.head.target)) is not None:
                return asset
            if found.status != 404:
                break
        return found

    # --- from memory -------------------------------------------------------------------------------------------------

    def _serve_from_memory(self, client: Client, request: Request, answer: Answer) -> bool:
        """Answers when nothing has to be read for it."""
        if answer.file is None:
            self._answer_without_file(client, request, answer)
            return True
        try:
            plan = Plan(request, answer, answer.file)
        except Refused as refused:
            client.refuse(refused.kind, refused.detail, refused.lines)
            return True
        body = b""
        if plan.sends_body:
            kept = self._objects.get(plan.blob.key)
            if kept is None:
                return False
            self._edge.metrics.static_hits += 1
            body = kept if plan.part is None else kept[plan.part[0] : plan.part[1] + 1]
        client.begin_answer(request, plan.status, plan.lines, plan.length, body)
        client.finish()
        return True

    @staticmethod
    def _answer_without_file(client: Client, request: Request, answer: Answer) -> None:
        if answer.location:
            client.answer(request, answer.status, b"Location: " + answer.location + b"\r\n", b"")
        else:
            client.refuse(NOT_IN_RELEASE, "this site has no such page")

    # --- from the store ----------------------------------------------------------------------------------------------

    async def _serve_from_store(self, client: Client, request: Request, keys: tuple[str, ...]) -> None:
        try:
            answer = await self._answer(request, keys)
            if answer is None or client.request is not request or self._serve_from_memory(client, request, answer):
                return
            if answer.file is None:
                return  # answered from memory
            plan = Plan(request, answer, answer.file)
            self._edge.metrics.static_misses += 1
            if plan.blob.size <= self._edge.settings.small_object:
                await self._object(plan.blob)
                if client.request is request and not self._serve_from_memory(client, request, answer):
                    raise Refused(FILES_UNAVAILABLE, "the cache is too small for this file")
            else:
                await self._stream(client, request, plan)
        except Refused as refused:
            if client.request is request:
                client.refuse(refused.kind, refused.detail)
        except ShipoffError as error:
            if client.request is request:
                client.refuse(FILES_UNAVAILABLE, error.detail)

    async def _answer(self, request: Request, keys: tuple[str, ...]) -> Answer | None:
        """As `_find`; what the request's own release has waits for no other's manifest."""
        own = await self._manifest(keys[0])
        answer = self._find(request, (own,))
        if answer is not None and answer.status == 404 and len(keys) > 1:
            answer = self._find(request, [own, *[await self._other(key) for key in keys[1:]]])
        return answer

    async def _stream(self, client: Client, request: Request, plan: Plan) -> None:
        begun = False
        async with aclosing(self._store.stream(plan.blob.key, plan.part)) as pieces:
            async for piece in pieces:
                if not begun:
                    client.begin_answer(request, plan.status, plan.lines, plan.length)
                    begun = True
                client.transport.write(piece)
                request.sent += len(piece)
                client.deadline = self._edge.now + self._edge.settings.stream_s
                await client.drained()
                if client.request is not request:
                    return
        client.task = None
        if request.sent == plan.length:
            client.finish()
        else:
            client.break_off()

    async def _manifest(self, key: str) -> Manifest:
        manifest = self._manifests.get(key)
        if manifest is None:
            raw = await self._load(key)
            manifest = Manifest(raw)
            self._manifests.put(key, manifest, len(raw) * 4)
        return manifest

    async def _other(self, key: str) -> Manifest:
        """A manifest that a request can do without: no files when it cannot be read, or is no longer kept."""
        try:
            return await self._manifest(key)
        except (Refused, ShipoffError):
            return NO_FILES

    async def _object(self, blob: Blob) -> None:
        if self._objects.get(blob.key) is None:
            data = await self._load(blob.key)
            if len(data) != blob.size:
                raise Refused(FILES_UNAVAILABLE, "a file in the object store has another size than its manifest says")
            self._objects.put(blob.key, data, len(data))

    async def _load(self, key: str) -> bytes:
        """Reads an object once for all who wait for it; a client that goes away leaves the others their read."""
        task = self._loading.get(key)
        if task is None:
            task = self._loading[key] = spawn(self._read(key), "router.static.load")
            task.add_done_callback(lambda _: self._loading.pop(key, None))
        read = await asyncio.shield(task)
        if isinstance(read, Refused):
            raise read
        return read

    async def _read(self, key: str) -> bytes | Refused:
        """An object, or why there is none: an expected failure is not the background task's own."""
        try:
            return await self._store.get(key)
        except Refused as refused:
            return refused


def _manifests_of(route: Route, release: str, target: bytes) -> tuple[str, ...]:
    """A release's manifest, and then those of releases whose pages may still ask for their own files.

    A browser that got a page of the release before asks for the scripts of that one; without them the page would break.
    """
    own = route.manifests[release] if route.weights else route.manifest
    if not (route.weights or route.previous) or not Manifest.may_name_asset(target):
        return (own,)
    return tuple(dict.fromkeys(key for key in (own, *route.manifests.values(), route.previous) if key))


class Plan:
    """How one request gets one file: status, header lines, and which bytes of which object.

    Raises (from the constructor):
        Refused: RANGE_UNSATISFIABLE.
    """

    __slots__ = ("blob", "length", "lines", "part", "sends_body", "status")

    def __init__(self, request: Request, answer: Answer, file: File) -> None:
        head = request.head
        wanted = head.header(b"range") if answer.status == 200 and head.method == b"GET" else b""
        # A range is a range of the file itself: no coding then.
        coding, self.blob = coding_of(file, b"" if wanted else head.header(b"accept-encoding"))
        tag = etag(file, coding)
        self.status = answer.status
        self.part = range_of(wanted, head.header(b"if-range"), tag, self.blob.size) if wanted else None
        cache = _OWN_CACHE if request.ruled is not None and b"Set-Cookie:" in request.ruled.extra else file.cache
        lines = b"ETag: " + tag + b"\r\nCache-Control: " + cache + b"\r\n"
        if file.encodings:
            lines += b"Vary: Accept-Encoding\r\n"
        self.length = self.blob.size
        if answer.status == 200 and is_unchanged(head.header(b"if-none-match"), tag):
            self.status, self.part = 304, None
        else:
            lines += b"Content-Type: " + file.type + b"\r\nAccept-Ranges: bytes\r\nX-Content-Type-Options: nosniff\r\n"
            if coding:
                lines += b"Content-Encoding: " + coding.encode() + b"\r\n"
        if self.part is not None:
            first, last = self.part
            self.status, self.length = 206, last - first + 1
            lines += b"Content-Range: bytes %d-%d/%d\r\n" % (first, last, self.blob.size)
        self.lines = lines
        self.sends_body = self.status != 304 and head.method == b"GET"
