"""What a static release answers to a path: its manifest, and the rules for directories, SPAs and missing files.

A path is looked up in the manifest and never joined into a key of the object store, so there is nothing to traverse.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

import orjson

from kernel.errors import define
from router.core.target import path_of

MANIFEST_INVALID = define("MANIFEST_INVALID", hint="deploy the site again; its manifest is damaged")

_INDEX: Final = "index.html"
_HASHED: Final = re.compile(
    r"(?:/_next/static/|/_astro/|/_app/immutable/).+|.*[.-](?=[0-9A-Za-z_-]*[0-9])[0-9A-Za-z_-]{8,}\.[0-9a-z]+(?:\.map)?"
).fullmatch
_PAGE_CACHE: Final = b"public, max-age=0, must-revalidate"
_ASSET_CACHE: Final = b"public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True)
class Blob:
    """One object in the store."""

    key: str
    size: int


@dataclass(frozen=True, slots=True)
class File:
    """One file of a release.

    Attributes:
        digest: SHA-256 of the content, the base of its ETags.
        encodings: precomputed ones by their content-coding.
        cache: its Cache-Control.
    """

    blob: Blob
    digest: str
    type: bytes
    encodings: dict[str, Blob]
    cache: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """What a path means: a file with a status, or a redirect to `location`."""

    status: int
    file: File | None = None
    location: bytes = b""


class Manifest:
    """The files of one release."""

    __slots__ = ("_files", "_not_found", "_spa")

    def __init__(self, raw: bytes) -> None:
        """Parses a manifest.

        Raises:
            ShipoffError: MANIFEST_INVALID.
        """
        try:
            data: dict[str, Any] = orjson.loads(raw)
            self._files = {path: _file(path, item) for path, item in data["files"].items()}
            self._spa = bool(data.get("spa"))
            self._not_found: str | None = data.get("not_found")
        except (orjson.JSONDecodeError, KeyError, TypeError, ValueError, AttributeError) as error:
            raise MANIFEST_INVALID(f"cannot read a manifest: {error!r}") from error

    def find(self, target: bytes, wants_page: bool) -> Answer:
        """What to answer to a request.

        Args:
            target: the request target, with its query.
            wants_page: the client accepts text/html, as a browser does when it navigates.

        Returns:
            An answer; one with status 404 and no file means that the release has no page for it.
        """
        path = path_of(target).decode("utf-8", "replace")
        file = self._files.get(path + _INDEX if path.endswith("/") else path)
        if file is not None:
            return Answer(200, file)
        if not path.endswith("/") and path + "/" + _INDEX in self._files:
            query = target.partition(b"?")[1:]
            return Answer(308, location=quote(path, safe="/:@!$&'()*+,;=~").encode() + b"/" + b"".join(query))
        is_page = wants_page or "." not in path.rpartition("/")[2]
        if self._spa and is_page and (index := self._files.get("/" + _INDEX)):
            return Answer(200, index)
        return Answer(404, self._files.get(self._not_found) if self._not_found else None)

    @staticmethod
    def may_name_asset(target: bytes) -> bool:
        """Whether `find_asset` of any manifest may have an answer: the name has a hash in it."""
        return _HASHED(path_of(target).decode("utf-8", "replace")) is not None

    def find_asset(self, target: bytes) -> Answer | None:
        """A file that pages ask for by a name which no other content has; None when the release has none such."""
        file = self._files.get(path_of(target).decode("utf-8", "replace"))
        return Answer(200, file) if file is not None and file.cache is _ASSET_CACHE else None


def _file(path: str, item: dict[str, Any]) -> File:
    encodings = {name: Blob(str(e["key"]), int(e["size"])) for name, e in (item.get("encodings") or {}).items()}
    type_ = str(item["type"])
    if "\r" in type_ or "\n" in type_ or not str(item["digest"]).isalnum():
        raise ValueError(f"the type or digest of {path!r} is odd")
    is_page = type_.startswith("text/html")
    return File(
        Blob(str(item["key"]), int(item["size"])),
        str(item["digest"]),
        type_.encode("latin-1"),
        encodings,
        _ASSET_CACHE if not is_page and _HASHED(path) else _PAGE_CACHE,
    )
