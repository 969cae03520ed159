"""Stored answers in a directory that a router's workers share: what one has stored all serve, and it outlives them.

`<root>/<2 hex digits>/<hash of the URL>/` holds the answers of a URL by the hash of their key, bodies of large ones in
files of their own, and by which request headers they vary. Files are written aside and renamed, so a reader sees a
whole one or none; what does not check is a miss and goes. A worker that has an answer in memory asks for its file's
stamp before it serves it, so what another worker replaced or invalidated is not served: one `stat`.

Bounded by bytes: one worker (who holds the lock) counts the files every few seconds, removes the URLs that have not
been read for longest, and writes down how much there is; each may then add its share of what is left.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import logging
import os
import shutil
import stat
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Final

from kernel.errors import ShipoffError, define
from router.core.caching.filed import MOST_DESCRIPTION, pack, unpack
from router.core.caching.stored import Stored
from router.edge.caching.marks import Marks
from router.settings import RouterSettings

log = logging.getLogger(__name__)
CACHE_DIR_UNUSABLE = define(
    "CACHE_DIR_UNUSABLE",
    source="client",
    hint="set SHIPOFF_ROUTER_CACHE_DIR to a directory that the router may write to",
)
# Larger bodies have their own file, and go from there to the client in pieces.
INLINE: Final = 262_144
_LEFT_AFTER_EVICTION: Final = 0.8
_TOUCH_S: Final = 60


def shelf_place(settings: RouterSettings, control: Path) -> Path | None:
    """Where the workers of a router share answers; None for a single worker without a directory, which has its memory.

    Args:
        control: the directory of the router's control sockets, which is no other router's.
    """
    if settings.cache_dir or settings.worker_count() < 2 or not settings.cache_memory:
        return Path(settings.cache_dir) if settings.cache_dir and settings.cache_memory else None
    memory = Path("/dev/shm")  # noqa: S108 - a name of our own below it, with a mode that keeps others out
    name = hashlib.sha256(f"{control}\0{settings.state_dir}".encode()).hexdigest()[:16]
    return (memory if os.access(memory, os.W_OK) else control) / f"shipoff-cache-{name}"


def open_shelf(settings: RouterSettings, control: Path) -> Shelf | None:
    """The shelf of a router's worker; None where there is none, or the one in memory cannot be had.

    Raises:
        ShipoffError: CACHE_DIR_UNUSABLE, a directory was set that is not to be used.
    """
    place = shelf_place(settings, control)
    try:
        return Shelf(place, settings.cache_shared, settings.worker_count()) if place is not None else None
    except ShipoffError as error:
        if settings.cache_dir:
            raise
        log.error("workers do not share what they cache: %s", error)
        return None


class Shelf:
    """The shared directory of a router, as one worker uses it.

    Args of the constructor:
        limit: bytes, for all workers.
        workers: that share it.

    Raises (from the constructor):
        ShipoffError: CACHE_DIR_UNUSABLE.
    """

    def __init__(self, root: Path, limit: int, workers: int) -> None:
        self._root = str(root)
        self._limit = limit
        self._workers = workers
        self._allowance = limit // (2 * workers)
        self._counted: tuple[int, int] | None = None
        self._lock = -1
        self._written = count()
        self._marks = Marks(f"{root}/marks")
        try:
            root.mkdir(parents=True, exist_ok=True, mode=0o700)
            (root / "lock").touch(mode=0o600)
            found = os.lstat(root)
        except OSError as error:
            raise CACHE_DIR_UNUSABLE(f"{root}: {error.strerror}") from error
        if not stat.S_ISDIR(found.st_mode) or found.st_uid not in (os.geteuid(), 0):
            raise CACHE_DIR_UNUSABLE(f"{root}: it is another user's, who could put answers there")

    def close(self, remove: bool) -> None:
        """Lets go of the directory; removes it when it is not meant to stay."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1
        if remove:
            shutil.rmtree(self._root, ignore_errors=True)

    # --- one answer --------------------------------------------------------------------------------------------------

    def get(self, url: bytes, key: bytes) -> Stored | None:
        """The stored answer of a key; a large body stays in its file."""
        path = f"{self._home(url)}/{_hash(key)}"
        try:
            with open(path, "rb", buffering=0) as file:  # noqa: PTH123 - on the path of requests
                found = os.fstat(file.fileno())
                stored = unpack(file.read(INLINE + MOST_DESCRIPTION))
        except OSError:
            return None
        if stored is None or stored.key != key:
            _remove(path)
            return None
        stored.path, stored.stamp = path, _stamp(found)
        return stored

    def is_current(self, stored: Stored) -> bool:
        """Whether what is in memory is still what the directory has."""
        try:
            return _stamp(os.stat(stored.path)) == stored.stamp  # noqa: PTH116 - once per hit
        except OSError:
            return False

    def put(self, url: bytes, stored: Stored) -> bool:
        """Stores an answer in the place of the one of its key; False when there is no room, in whatever sense."""
        size = len(stored.lines) + stored.size + 1024
        if size > self._allowance:
            return False
        home = self._home(url)
        path = f"{home}/{_hash(stored.key)}"
        try:
            if stored.size > INLINE and not stored.body_file:
                stored.body_file = f"b-{os.urandom(8).hex()}"
                self._write(home, f"{home}/{stored.body_file}", stored.body or b"")
            stored.stamp = self._write(home, path, pack(stored))
        except OSError:
            return False
        self._allowance -= size
        stored.path = path
        return True

    def touch(self, stored: Stored, now: float) -> None:
        """Notes that an answer is read, so that it does not go first."""
        if now - stored.touched > _TOUCH_S and stored.stamp is not None:
            stored.touched = now
            with contextlib.suppress(OSError):
                os.utime(stored.path, ns=(int(now * 1e9), stored.stamp[0]))

    def remove(self, stored: Stored) -> bool:
        """Removes an answer; False when it was gone."""
        if not stored.path:
            return False
        if stored.body_file:
            _remove(body_path(stored))
        return _remove(stored.path)

    # --- a URL -------------------------------------------------------------------------------------------------------

    def names(self, url: bytes, primary: bytes) -> tuple[bytes, ...] | None:
        """By which request headers the answers of a key vary."""
        try:
            with open(f"{self._home(url)}/v-{_hash(primary)}", "rb", buffering=0) as file:  # noqa: PTH123
                return tuple(file.read(16_384).split(b","))
        except OSError:
            return None

    def put_names(self, url: bytes, primary: bytes, names: tuple[bytes, ...]) -> None:
        """Notes by which request headers they vary."""
        home = self._home(url)
        with contextlib.suppress(OSError):
            self._write(home, f"{home}/v-{_hash(primary)}", b",".join(names))

    def forget(self, url: bytes) -> int:
        """Removes every answer of a URL; returns how many."""
        self._marks.put(_hash(url))
        return _empty(self._home(url))

    def mark(self) -> None:
        """Notes that what is being asked for now must not be stored, by no worker, whatever its URL."""
        self._marks.put()

    def is_outdated(self, url: bytes, asked_at: float) -> bool:
        """Whether something was forgotten since an answer was asked for that it may be part of."""
        return self._marks.since(_hash(url), asked_at)

    # --- all of it ---------------------------------------------------------------------------------------------------

    def purge(self, groups: set[bytes]) -> int:
        """Removes every answer of some groups by looking at each; slow, for a thread. Returns how many."""
        purged = 0
        for home in self._homes():
            for entry in _entries(home):
                stored = None if entry.name[:2] in ("v-", "b-") else _peek(entry.path)
                if stored is not None and not groups.isdisjoint(stored.groups):
                    stored.path = entry.path
                    purged += self.remove(stored)
        return purged

    def tend(self) -> None:
        """Counts and evicts if that is this worker's to do, and takes its share of the room; slow, for a thread."""
        counted = f"{self._root}/counted"
        if self._has_lock():
            self._sweep()
            total = self._evict()
            with contextlib.suppress(OSError):  # there is no room: then nothing is added either
                self._write(self._root, counted, b"%d" % total)
        with contextlib.suppress(OSError, ValueError):
            stamp = _stamp(os.stat(counted))  # noqa: PTH116
            if stamp != self._counted:
                self._counted = stamp
                total = int(Path(counted).read_bytes())
                self._allowance = max(0, self._limit - total) // self._workers

    def _has_lock(self) -> bool:
        if self._lock >= 0:
            return True
        try:
            lock = os.open(f"{self._root}/lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError:
            return False
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(lock)
            return False
        self._lock = lock
        return True

    def _evict(self) -> int:
        """Removes the URLs that were not read for longest until there is room; returns the bytes that are left."""
        found = [(*_measure(home), home) for home in self._homes()]
        total = sum(size for _, size, _ in found)
        if total > self._limit * (1 + _LEFT_AFTER_EVICTION) / 2:
            for _, size, home in sorted(found):
                if total <= self._limit * _LEFT_AFTER_EVICTION:
                    break
                _empty(home)
                total -= size
        return total

    def _sweep(self) -> None:
        """Removes what workers were writing when they ended."""
        for entry in _entries(self._root):
            if entry.name.startswith("t-"):
                with contextlib.suppress(OSError):
                    if time.time() - entry.stat().st_mtime > _TOUCH_S:
                        _remove(entry.path)

    def _homes(self) -> Iterator[str]:
        for part in _entries(self._root):
            if len(part.name) == 2:
                for home in _entries(part.path):
                    yield home.path

    def _home(self, url: bytes) -> str:
        name = _hash(url)
        return f"{self._root}/{name[:2]}/{name}"

    def _write(self, home: str, path: str, data: bytes) -> tuple[int, int]:
        """Writes a file aside and renames it; returns its stamp."""
        aside = f"{self._root}/t-{os.getpid()}-{next(self._written)}"
        descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(descriptor, view) :]
            stamp = _stamp(os.fstat(descriptor))
        except OSError:
            _remove(aside)
            raise
        finally:
            os.close(descriptor)
        try:
            os.rename(aside, path)  # noqa: PTH104
        except FileNotFoundError:
            os.makedirs(home, 0o700, exist_ok=True)  # noqa: PTH103
            os.rename(aside, path)  # noqa: PTH104
        return stamp


def body_path(stored: Stored) -> str:
    """Where the large body of an answer is."""
    return f"{os.path.dirname(stored.path)}/{stored.body_file}"  # noqa: PTH120


def _hash(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def _stamp(found: os.stat_result) -> tuple[int, int]:
    return found.st_mtime_ns, found.st_ino


def _remove(path: str) -> bool:
    try:
        os.unlink(path)  # noqa: PTH108
    except OSError:
        return False
    return True


def _entries(path: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(path) as found:
            return list(found)
    except OSError:
        return []


def _empty(home: str) -> int:
    removed = 0
    for entry in _entries(home):
        _remove(entry.path)
        removed += entry.name[:2] not in ("v-", "b-")
    with contextlib.suppress(OSError):
        os.rmdir(home)  # noqa: PTH106
    return removed


def _measure(home: str) -> tuple[float, int]:
    """When something of a URL was last read, and its bytes; bodies that nothing names any more are removed."""
    read, size, bodies, named = 0.0, 0, {}, set()
    for entry in _entries(home):
        with contextlib.suppress(OSError):
            found = entry.stat(follow_symlinks=False)
            size += found.st_size + 512
            if entry.name.startswith("b-"):
                bodies[entry.name] = found
            else:
                read = max(read, found.st_atime)
                named.add(entry.path)
    if bodies:
        kept = {stored.body_file for path in named if (stored := _peek(path)) is not None}
        for name, found in bodies.items():
            if name not in kept and read - found.st_mtime > _TOUCH_S:
                _remove(f"{home}/{name}")
                size -= found.st_size
    return read, size


def _peek(path: str) -> Stored | None:
    """The description of a stored answer."""
    try:
        with open(path, "rb", buffering=0) as file:  # noqa: PTH123
            return unpack(file.read(MOST_DESCRIPTION), with_body=False)
    except OSError:
        return None
