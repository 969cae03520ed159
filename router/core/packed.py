"""Routes in few bytes: a million of them are 80 MB instead of 800, and nothing that a garbage collector has to visit.

A packed route is flags, version, and the two ids as the 16 bytes that they name; whatever else an ordinary route does
not have (another environment, weights, rules) follows as JSON. It is unpacked when it is first asked for (hosts.py).
Host and path stand in its key. Only validated routes get here.
"""

from __future__ import annotations

from struct import Struct
from typing import Final

import orjson

from router.core import id_bytes
from router.core.reading import Json
from router.core.records import DYNAMIC, MOST_VERSION, PLAIN_HOST, PRODUCTION, STATIC, Route, plain

_HEAD: Final = Struct(">BQ")
_PLAIN: Final = Struct(">BQ16s16s")
_PROJECT_AT, _RELEASE_AT = 9, 25
# What a route has in common with the ordinary ones and is told by a flag; everything else stands in the JSON.
_STATIC, _PROJECT, _RELEASE, _PRODUCTION, _MORE = 1, 2, 4, 8, 16
_IDS: Final = ((_PROJECT, "project", "prj_"), (_RELEASE, "release", "rel_"))
_ORDINARY: Final = {
    DYNAMIC: _PROJECT | _RELEASE | _PRODUCTION,
    STATIC: _PROJECT | _RELEASE | _PRODUCTION | _STATIC,
}
_NOTHING: Final = (None, "")
_STATUS: Final = 308


def pack(route: Route) -> bytes:
    """The packed form of a route."""
    more = route.record()
    for field in ("host", "path"):
        del more[field]
    version: int = more.pop("version", 0)
    flags, ids = 0, b""
    for flag, field, prefix in _IDS:
        if raw := id_bytes.read(more.get(field), prefix):
            flags, ids = flags | flag, ids + raw
            del more[field]
    if more["kind"] == STATIC and flags & _RELEASE and more.get("manifest") == _manifest(route.release):
        flags |= _STATIC
        del more["kind"], more["manifest"]
    elif more["kind"] == DYNAMIC:
        del more["kind"]
    if more.get("environment") == PRODUCTION:
        flags |= _PRODUCTION
        del more["environment"]
    if more.get("status") == _STATUS:
        del more["status"]
    if more or flags not in _ORDINARY.values():
        return _HEAD.pack(flags | _MORE, version) + ids + orjson.dumps(more)
    return _HEAD.pack(flags, version) + ids


def pack_plain(record: Json) -> tuple[bytes, bytes] | None:
    """Host and packed form of a record that is valid and ordinary: the short way for a million of them.

    Returns:
        None for every other record, valid or not; `Route` and `pack` decide about those.
    """
    host, kind, release = record.get("host"), record.get("kind"), record.get("release")
    if type(host) is not str or PLAIN_HOST(host) is None or record.get("environment") != PRODUCTION:
        return None
    flags = _ORDINARY.get(kind) if type(kind) is str else None
    if flags is None:
        return None
    if record.get("path", "/") != "/" or record.get("location") not in _NOTHING:
        return None
    if record.get("rules") or record.get("weights") or record.get("manifests") or record.get("previous"):
        return None
    if (status := record.get("status")) is not None and (type(status) is not int or status != _STATUS):
        return None
    manifest = record.get("manifest")
    if manifest != _manifest(release) if flags & _STATIC else manifest not in _NOTHING:
        return None
    project_raw, release_raw = id_bytes.read(record.get("project"), "prj_"), id_bytes.read(release, "rel_")
    version = record.get("version")
    if not project_raw or not release_raw or type(version) is not int or not 0 <= version <= MOST_VERSION:
        return None
    return host.encode(), _PLAIN.pack(flags, version, project_raw, release_raw)


def unpack(host: bytes, path: bytes, packed: bytes) -> Route:
    """The route again.

    Args:
        host: as in its record.
        path: as in the route, without a trailing slash.
    """
    if packed[0] & _MORE:
        return Route(unpack_record(host, path, packed))
    flags, version = _HEAD.unpack_from(packed)
    name = id_bytes.text("rel_", packed, _RELEASE_AT)
    route = plain(host, path, id_bytes.text("prj_", packed, _PROJECT_AT), name, version)
    if flags & _STATIC:
        route.kind, route.manifest = STATIC, _manifest(name)
    return route


def unpack_record(host: bytes, path: bytes, packed: bytes) -> Json:
    """The record that makes the route."""
    flags, version = _HEAD.unpack_from(packed)
    record: Json = {"host": host.decode(), "path": path.decode() or "/", "kind": DYNAMIC, "version": version}
    at = _HEAD.size
    for flag, field, prefix in _IDS:
        if flags & flag:
            record[field] = id_bytes.text(prefix, packed, at)
            at += 16
    if flags & _STATIC:
        record |= {"kind": STATIC, "manifest": _manifest(record["release"])}
    if flags & _PRODUCTION:
        record["environment"] = PRODUCTION
    if flags & _MORE:
        record |= orjson.loads(packed[at:])
    return record


def version_of(packed: bytes) -> int:
    """The version of a packed route."""
    version: int = _HEAD.unpack_from(packed)[1]
    return version


def _manifest(release: object) -> str:
    return f"releases/{release}/manifest.json"
