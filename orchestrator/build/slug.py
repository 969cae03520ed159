"""A dynamic app as one file: `slugs/<digest>.tar.zst`, built once, started many times.

The tar is reproducible: entries sorted, one owner, one time (the commit's), modes reduced to what matters. The digest
is of the tar, not of its compressed form, so that it names the content whatever compressed it.
"""

from __future__ import annotations

import hashlib
import io
import os
import stat
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Final

import zstandard

from kernel.errors import define
from orchestrator.build.refusals import ARTIFACT_REFUSED, ARTIFACT_TOO_LARGE, readable

SLUG_DAMAGED = define("SLUG_DAMAGED", hint="deploy again; the object store returned something else than was stored")

# Regenerated at will, or of no use at run time.
LEFT_OUT: Final = frozenset({".git", ".hg", ".svn", "node_modules/.cache", ".next/cache", ".venv/.lock", ".DS_Store"})
MAX_ENTRIES: Final = 200_000
LEVEL: Final = 3


@dataclass(frozen=True, slots=True)
class Slug:
    """A packed tree: its digest, the file's size and the tree's size, in bytes."""

    digest: str
    packed_bytes: int
    tree_bytes: int

    @property
    def key(self) -> str:
        """Where it lies in the object store."""
        return slug_key(self.digest)


def slug_key(digest: str) -> str:
    """The object store's key of a slug."""
    return f"slugs/{digest}.tar.zst"


def pack(tree: Path, target: Path, *, epoch_s: int, max_bytes: int, stamp: bool = True) -> Slug:
    """Packs a tree, and gives every file of it the same time as in the slug.

    Args:
        tree: the app's directory after its build; nothing may be writing to it.
        target: the file to write.
        epoch_s: the time of every entry, normally the commit's. Web frameworks make ETags of it, so it must change
            with the content and be the same wherever the slug is unpacked.
        max_bytes: of all files together, before compression.
        stamp: whether the tree's own files get that time too, as they must where the tree itself is run.

    Raises:
        ShipoffError: ARTIFACT_TOO_LARGE; ARTIFACT_REFUSED for what is neither file, directory nor link; DISK_FULL.
    """
    with readable():
        return _pack(tree, target, epoch_s, max_bytes, stamp=stamp)


def _pack(tree: Path, target: Path, epoch_s: int, max_bytes: int, *, stamp: bool) -> Slug:
    total = 0
    with target.open("wb") as raw, zstandard.ZstdCompressor(level=LEVEL, threads=2).stream_writer(raw) as packed:
        hashing = _HashingWriter(packed)
        with tarfile.open(fileobj=hashing, mode="w", format=tarfile.PAX_FORMAT) as tar:
            for path in walk(tree):
                info = entry(tree, path, epoch_s)
                total += info.size
                if total > max_bytes:
                    raise ARTIFACT_TOO_LARGE(f"the built app has more than {max_bytes >> 20} MiB")
                _add(tar, info, path)
                if stamp:
                    os.utime(path, (epoch_s, epoch_s), follow_symlinks=False)
    return Slug(hashing.hexdigest(), target.stat().st_size, total)


def unpack(packed: Path, into: Path, digest: str, *, owner: int | None = None) -> None:
    """Unpacks a slug into a new directory, checking its digest and every entry.

    Links may point anywhere: they are followed only inside a sandbox. But nothing is ever written through one.

    Args:
        packed: the file.
        into: must not exist.
        digest: what the tar must hash to.
        owner: uid and gid of everything, None to leave them.

    Raises:
        ShipoffError: SLUG_DAMAGED; ARTIFACT_REFUSED for an entry that leaves the directory or is of a strange kind.
    """
    into.mkdir(parents=True)
    try:
        with packed.open("rb") as raw, zstandard.ZstdDecompressor().stream_reader(raw) as stream:
            hashing = _HashingReader(stream)
            with tarfile.open(fileobj=hashing, mode="r|") as tar:
                _extract(tar, into, owner)
            while hashing.read(1 << 20):  # the end of the tar counts too
                pass
    except (tarfile.TarError, zstandard.ZstdError, EOFError) as error:
        raise SLUG_DAMAGED(f"slug {digest[:12]}: {error}") from error
    if hashing.hexdigest() != digest:
        raise SLUG_DAMAGED(f"slug {digest[:12]} has another content than its name says")


def walk(tree: Path) -> Iterator[Path]:
    """Everything below the tree in a fixed order, directories before what is in them, links not followed."""
    count = 0
    pending = [tree]
    while pending:
        directory = pending.pop()
        with os.scandir(directory) as entries:
            children = sorted((Path(entry.path) for entry in entries), key=lambda path: path.name)
        for path in children:
            name = path.name
            if name in LEFT_OUT or f"{directory.name}/{name}" in LEFT_OUT:
                continue
            count += 1
            if count > MAX_ENTRIES:
                raise ARTIFACT_TOO_LARGE(f"the built app has more than {MAX_ENTRIES} files")
            yield path
        pending += [path for path in reversed(children) if _kept_directory(path)]


def _kept_directory(path: Path) -> bool:
    kept = path.name not in LEFT_OUT and f"{path.parent.name}/{path.name}" not in LEFT_OUT
    return kept and path.is_dir() and not path.is_symlink()


def entry(tree: Path, path: Path, epoch_s: int) -> tarfile.TarInfo:
    """What the slug says of a file besides its content.

    Raises:
        ShipoffError: ARTIFACT_REFUSED.
    """
    status = path.lstat()
    info = tarfile.TarInfo(path.relative_to(tree).as_posix())
    info.mtime = epoch_s
    if stat.S_ISLNK(status.st_mode):
        info.type, info.linkname, info.mode = tarfile.SYMTYPE, str(path.readlink()), 0o777
    elif stat.S_ISDIR(status.st_mode):
        info.type, info.mode = tarfile.DIRTYPE, 0o755
    elif stat.S_ISREG(status.st_mode):
        info.size, info.mode = status.st_size, 0o755 if status.st_mode & 0o111 else 0o644
    else:
        raise ARTIFACT_REFUSED(
            f"{info.name} is neither a file, a directory nor a link", hint="delete it at the end of the build"
        )
    return info


def _add(tar: tarfile.TarFile, info: tarfile.TarInfo, path: Path) -> None:
    if not info.isreg():
        tar.addfile(info)
        return
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as file:
        tar.addfile(info, file)


def _extract(tar: tarfile.TarFile, into: Path, owner: int | None) -> None:
    links: set[PurePosixPath] = set()
    for count, info in enumerate(tar):
        name = PurePosixPath(info.name)
        if name.is_absolute() or ".." in name.parts or links.intersection(name.parents) or count > MAX_ENTRIES:
            raise ARTIFACT_REFUSED(f"the slug has an entry outside itself: {info.name}")
        path = into / name
        if info.issym():
            links.add(name)
            path.symlink_to(info.linkname)
        elif info.isdir():
            path.mkdir(exist_ok=True)
        elif info.isreg():
            _write(tar, info, path)
        else:
            raise ARTIFACT_REFUSED(f"the slug has an entry of a strange kind: {info.name}")
        if owner is not None:
            os.lchown(path, owner, owner)
        os.utime(path, (info.mtime, info.mtime), follow_symlinks=False)
    if owner is not None:
        os.lchown(into, owner, owner)


def _write(tar: tarfile.TarFile, info: tarfile.TarInfo, path: Path) -> None:
    source = tar.extractfile(info)
    if source is None:
        raise ARTIFACT_REFUSED(f"the slug has an entry without content: {info.name}")
    mode = 0o755 if info.mode & 0o111 else 0o644
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
    with os.fdopen(descriptor, "wb") as file:
        while chunk := source.read(1 << 20):
            file.write(chunk)
        os.fchmod(file.fileno(), mode)


class _HashingWriter(io.RawIOBase):
    """Passes bytes on and hashes them."""

    def __init__(self, onto: zstandard.ZstdCompressionWriter) -> None:
        self._onto, self._hash, self._written = onto, hashlib.sha256(), 0

    def write(self, data: bytes) -> int:  # type: ignore[override]
        self._hash.update(data)
        self._onto.write(data)
        self._written += len(data)
        return len(data)

    def tell(self) -> int:
        return self._written

    def hexdigest(self) -> str:
        return self._hash.hexdigest()


class _HashingReader(io.RawIOBase):
    """Hands bytes out and hashes them."""

    def __init__(self, source: IO[bytes] | zstandard.ZstdDecompressionReader) -> None:
        self._source, self._hash = source, hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        data = self._source.read(size)
        self._hash.update(data)
        return data

    def hexdigest(self) -> str:
        return self._hash.hexdigest()
