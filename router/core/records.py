"""The table's records: their one validation, and the immutable values that they become.

A record comes from the orchestrator (ARCHITECTURE.md, "The route table's records"). What is wrong is named by field; a
record that is refused leaves the table as it was.
"""

from __future__ import annotations

import re
from typing import Final

from router.core.host import canonical
from router.core.reading import RECORD_INVALID, Json
from router.core.reading import wrong as _wrong
from router.core.rules import Policy, read_policy
from router.core.target import path_of

STATIC, DYNAMIC, REDIRECT, PAUSED = "static", "dynamic", "redirect", "maintenance"
PRODUCTION: Final = "production"
RUNNING, SLEEPING, WAKING = "running", "asleep", "waking"
_KINDS: Final = frozenset((STATIC, DYNAMIC, REDIRECT, PAUSED))
_STATES: Final = frozenset((RUNNING, SLEEPING, WAKING))
_REDIRECTS: Final = frozenset((301, 302, 303, 307, 308))
_ADDRESS: Final = re.compile(
    r"tcp:(\[[0-9a-fA-F:.%]+\]|[A-Za-z0-9._-]+):([0-9]{1,5})|(?:unix|dial):(/[^\0]{1,107})"
).fullmatch
_INSTANCE: Final = re.compile(r"[\x21-\x7e]{0,100}").fullmatch
# The ordinary host names: what `canonical` leaves as it is, told by one match.
PLAIN_HOST: Final = re.compile(r"[a-z0-9_][a-z0-9_-]*(?:\.[a-z0-9_-]+)*").fullmatch
MOST_VERSION: Final = 2**63 - 1
_MOST_WEIGHT: Final = 1_000_000
_NO_MANIFESTS: Final[dict[str, str]] = {}
_LOCATION: Final = re.compile(r"(?:https?://|/)[\x21-\x7e]*").fullmatch


class Route:
    """What answers a host and path prefix. Never changed; replaced as a whole.

    Attributes:
        host: exact (`b"blog.example.org"`), wildcard (`b"*.example.org"`), or b"*" for every host.
        path: the prefix without a trailing slash; b"" for the whole host.
        release: id of the release, when it is the only one.
        weights: cumulative (release, upper bound) pairs when several serve; else ().
        manifest: where a static release's is in the object store.
        manifests: release -> manifest, when several static releases serve; else {}.
        previous: the manifest of what served before, whose pages browsers still have open; "" for none.
        policy: the rules; None for a route without, which then costs nothing.
    """

    __slots__ = (
        "environment",
        "host",
        "kind",
        "location",
        "manifest",
        "manifests",
        "path",
        "policy",
        "previous",
        "project",
        "release",
        "status",
        "version",
        "weights",
    )

    def __init__(self, record: Json) -> None:
        self.host: bytes = _host(record)
        self.path: bytes = _path(record)
        self.kind: str = _one_of(record, "kind", _KINDS)
        self.project: str = _text(record, "project", "")
        self.environment: str = _text(record, "environment", "")
        self.release: str = _text(record, "release", "")
        self.weights: tuple[tuple[str, int], ...] = _weights(record)
        self.manifest: str = _text(record, "manifest", "")
        self.manifests: dict[str, str] = _manifests(record) if self.kind == STATIC else _NO_MANIFESTS
        self.previous: str = _text(record, "previous", "")
        self.location: str = _text(record, "location", "")
        self.status: int = _integer(record, "status", 308, 999)
        self.policy: Policy | None = read_policy(record.get("rules"), self.host + self.path)
        self.version: int = _integer(record, "version", 0)
        self._settle()
        self._check()

    def _settle(self) -> None:
        """One release with a weight is the release; nothing is drawn then."""
        if len(self.weights) == 1 and self.release in ("", self.weights[0][0]):
            self.release, self.weights = self.weights[0][0], ()
            self.manifest = self.manifests.get(self.release, self.manifest)
        if not self.weights:
            self.manifests = _NO_MANIFESTS

    def _check(self) -> None:
        if self.kind == DYNAMIC and not self.release and not self.weights:
            raise _wrong("release", "missing from a dynamic route")
        if self.kind == STATIC and not self.manifest and not self.weights:
            raise _wrong("manifest", "missing from a static route")
        if self.kind == STATIC and any(name not in self.manifests for name, _ in self.weights):
            raise _wrong("manifests", "without one of the releases that have a weight")
        if self.kind == REDIRECT and (_LOCATION(self.location) is None or self.status not in _REDIRECTS):
            raise _wrong("location", "or status is not that of a redirect")

    def serves(self, release: str) -> bool:
        """Whether requests of this route may go to a release."""
        return release == self.release or any(release == name for name, _ in self.weights)

    @property
    def key(self) -> str:
        """The record's field in the hash `routes:table`."""
        return f"r:{self.host.decode()}{self.path.decode() or '/'}"

    def record(self) -> Json:
        """The record that makes an equal route."""
        weights, last = [], 0
        for release, bound in self.weights:
            weights.append([release, bound - last])
            last = bound
        full = {
            "host": self.host.decode(),
            "path": self.path.decode() or "/",
            "project": self.project,
            "environment": self.environment,
            "kind": self.kind,
            "release": self.release,
            "manifest": self.manifest,
            "manifests": self.manifests,
            "previous": self.previous,
            "location": self.location,
            "status": self.status,
            "rules": self.policy.record if self.policy else None,
            "version": self.version,
        }
        return {name: value for name, value in full.items() if value} | ({"weights": weights} if weights else {})


def plain(host: bytes, path: bytes, project: str, release: str, version: int) -> Route:
    """A dynamic route of production without anything special, from values that were validated before."""
    route = Route.__new__(Route)
    route.host, route.path = host, path
    route.kind = DYNAMIC
    route.project, route.environment = project, PRODUCTION
    route.release, route.weights = release, ()
    route.manifest = route.location = route.previous = ""
    route.manifests = _NO_MANIFESTS
    route.status = 308
    route.policy = None
    route.version = version
    return route


class EndpointsRecord:
    """Where a release runs.

    Attributes:
        id: of the release.
        endpoints: (address, instance, weight, zone) each.
    """

    __slots__ = ("endpoints", "id", "state", "version")

    def __init__(self, record: Json) -> None:
        self.id: str = _text(record, "release")
        self.state: str = _one_of(record, "state", _STATES)
        self.version: int = _integer(record, "version", 0)
        listed = record.get("endpoints", [])
        if not isinstance(listed, list):
            raise _wrong("endpoints", "not a list")
        self.endpoints: tuple[tuple[str, str, int, str], ...] = tuple([_endpoint(item) for item in listed])


def parse(record: object) -> Route | EndpointsRecord:
    """Makes a route or an endpoints value from a record, by its fields (the form of a line in a `--table` file).

    Raises:
        ShipoffError: RECORD_INVALID, naming the field.
    """
    if not isinstance(record, dict):
        raise RECORD_INVALID("a record is not an object")
    return Route(record) if "host" in record else EndpointsRecord(record)


def _text(record: Json, field: str, default: str | None = None) -> str:
    value = record.get(field)
    if value is None and default is not None:
        return default
    if not isinstance(value, str) or (default is None and not value):
        raise _wrong(field, "not a text")
    return value


def _integer(record: Json, field: str, default: int, most: int = MOST_VERSION) -> int:
    value = record.get(field, default)
    if value is None:
        return default
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= most:
        raise _wrong(field, "not a whole number")
    return value


def _one_of(record: Json, field: str, allowed: frozenset[str]) -> str:
    value = record.get(field)
    if not isinstance(value, str) or value not in allowed:
        raise _wrong(field, f"not one of {', '.join(sorted(allowed))}")
    return value


def _host(record: Json) -> bytes:
    text = host_of(_text(record, "host"))
    bare = text[2:] if text.startswith(b"*.") else text
    if text != b"*" and (canonical(bare) != bare or (bare is not text and bare.startswith(b"["))):
        raise _wrong("host", "not a host name without port and root dot, in its xn-- form where it has one")
    return text


def host_of(text: str) -> bytes:
    """A record's host in the form in which the table knows it."""
    return text.lower().encode()


def prefix_of(path: str) -> bytes:
    """A record's path in the form in which the table knows it."""
    return path.encode().rstrip(b"/")


def _path(record: Json) -> bytes:
    text = _text(record, "path", "/")
    raw = text.encode()
    if not raw.startswith(b"/") or b"?" in raw or path_of(raw) != raw:
        raise _wrong("path", "not an absolute path, decoded and without dot segments")
    return prefix_of(text)


def _weights(record: Json) -> tuple[tuple[str, int], ...]:
    listed, bound, result = record.get("weights") or [], 0, []
    if not isinstance(listed, list):
        raise _wrong("weights", "not a list")
    for item in listed:
        if not (isinstance(item, list) and len(item) == 2 and isinstance(item[0], str) and isinstance(item[1], int)):
            raise _wrong("weights", "not a list of [release, weight]")
        if not 0 <= item[1] <= _MOST_WEIGHT:
            raise _wrong("weights", f"not from 0 to {_MOST_WEIGHT}")
        if item[1]:
            bound += item[1]
            result.append((item[0], bound))
    return tuple(result)


def _manifests(record: Json) -> dict[str, str]:
    found = record.get("manifests")
    if found is None:
        return _NO_MANIFESTS
    if not isinstance(found, dict) or not all(isinstance(key, str) and key for key in found.values()):
        raise _wrong("manifests", "not an object of release: manifest")
    return dict(found)


def _endpoint(item: object) -> tuple[str, str, int, str]:
    if not isinstance(item, dict):
        raise _wrong("endpoints", "not a list of objects")
    address = _text(item, "address")
    match = _ADDRESS(address)
    if match is None or (match[2] and not 0 < int(match[2]) < 65536):
        raise _wrong("address", "not tcp:host:port, unix:path or dial:path")
    instance = _text(item, "instance", "")
    if _INSTANCE(instance) is None:
        raise _wrong("instance", "not an id")
    return address, instance, _integer(item, "weight", 1, _MOST_WEIGHT), _text(item, "zone", "")
