"""What a static site publishes: a walk over its output directory that nothing outside it can get into.

The directory was written by a tenant's build, and is read by the platform, which may be root. Links are followed only
to regular files inside the directory; anything else that is no regular file is refused.
"""

from __future__ import annotations

import mimetypes
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from kernel.errors import define
from orchestrator.build.refusals import ARTIFACT_REFUSED, ARTIFACT_TOO_LARGE, readable

OUTPUT_MISSING = define(
    "OUTPUT_MISSING", source="client", status=422, hint="set output_dir to the folder that the build writes"
)
# Never published: what repositories have beside their pages. `.well-known` is the one hidden folder with a public use.
LEFT_OUT: Final = frozenset({"node_modules", "__pycache__"})
KEPT_HIDDEN: Final = frozenset({".well-known", ".nojekyll"})

_TYPES: Final = {
    ".html": "text/html; charset=utf-8",
    ".htm": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".map": "application/json",
    ".txt": "text/plain; charset=utf-8",
    ".md": "text/markdown; charset=utf-8",
    ".xml": "application/xml",
    ".svg": "image/svg+xml",
    ".webmanifest": "application/manifest+json",
    ".wasm": "application/wasm",
    ".woff2": "font/woff2",
    ".woff": "font/woff",
    ".webp": "image/webp",
    ".avif": "image/avif",
    ".ico": "image/x-icon",
    ".mp4": "video/mp4",
    ".webm": "video/webm",
}
_TEXT: Final = frozenset(
    {
        "application/json",
        "application/xml",
        "application/wasm",
        "application/manifest+json",
        "image/svg+xml",
        "image/x-icon",
    }
)


@dataclass(frozen=True, slots=True)
class StaticLimits:
    """What one release of a static site may have: bytes in all, bytes a file, files."""

    total_bytes: int = 2 << 30
    file_bytes: int = 512 << 20
    files: int = 50_000


@dataclass(frozen=True, slots=True)
class StaticFile:
    """One file: its path in the site (`/css/site.css`), where it is on disk (links resolved), and its size."""

    path: str
    source: Path
    size: int

    @property
    def content_type(self) -> str:
        """By its extension alone: contents are the tenant's and prove nothing."""
        suffix = Path(self.path).suffix.lower()
        return _TYPES.get(suffix) or mimetypes.guess_type(self.path)[0] or "application/octet-stream"

    @property
    def compressible(self) -> bool:
        """Whether it pays to keep compressed copies."""
        kind = self.content_type.partition(";")[0]
        return self.size >= 1024 and (kind.startswith("text/") or kind in _TEXT)


def collect(root: Path, within: Path, limits: StaticLimits) -> list[StaticFile]:
    """The files to publish, sorted by path.

    Args:
        root: the output directory.
        within: the source tree; the output directory must really lie in it, through whatever links.
        limits: what is too much.

    Raises:
        ShipoffError: OUTPUT_MISSING, ARTIFACT_REFUSED, ARTIFACT_TOO_LARGE.
    """
    with readable():
        return _collect(root, within, limits)


def _collect(root: Path, within: Path, limits: StaticLimits) -> list[StaticFile]:
    real = Path(os.path.realpath(root))
    if not real.is_relative_to(os.path.realpath(within)):
        raise ARTIFACT_REFUSED(f"the output directory {root.name} is a link out of the project")
    if not real.is_dir():
        raise OUTPUT_MISSING(f"there is no directory {_shown(root, within)} after the build")
    found: list[StaticFile] = []
    total = 0
    for path in _walk(real):
        file = _examined(real, path)
        total += file.size
        found.append(file)
        if file.size > limits.file_bytes or total > limits.total_bytes or len(found) > limits.files:
            raise ARTIFACT_TOO_LARGE(
                f"the site is over its limits ({limits.files} files, {limits.file_bytes >> 20} MiB a file, "
                f"{limits.total_bytes >> 20} MiB in all) at {file.path}"
            )
    if not found:
        raise OUTPUT_MISSING(f"the directory {_shown(root, within)} has no files to publish")
    return sorted(found, key=lambda file: file.path)


def _walk(root: Path) -> Iterator[Path]:
    pending = [root]
    while pending:
        with os.scandir(pending.pop()) as entries:
            for entry in entries:
                if entry.name in LEFT_OUT or (entry.name.startswith(".") and entry.name not in KEPT_HIDDEN):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    pending.append(Path(entry.path))
                else:
                    yield Path(entry.path)


def _examined(root: Path, path: Path) -> StaticFile:
    shown = "/" + path.relative_to(root).as_posix()
    if not shown.isprintable() or "\ufffd" in shown.encode("utf-8", "surrogateescape").decode("utf-8", "replace"):
        raise ARTIFACT_REFUSED(f"a file's name is no printable text: {shown!r}")
    real = Path(os.path.realpath(path))
    if not real.is_relative_to(root):
        raise ARTIFACT_REFUSED(f"{shown} is a link out of the output directory", hint="copy the file instead")
    try:
        status = real.lstat()
    except OSError as error:
        raise ARTIFACT_REFUSED(f"{shown} is a link to nothing") from error
    if not stat.S_ISREG(status.st_mode):
        raise ARTIFACT_REFUSED(f"{shown} is neither a file nor a link to one")
    return StaticFile(shown, real, status.st_size)


def _shown(root: Path, within: Path) -> str:
    return str(root.relative_to(within)) if root.is_relative_to(within) and root != within else "(the project's root)"
