"""The same tests again as a user without any rights: the platform must not need root."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

NOBODY = 65534
ROOT = Path(__file__).parents[3]
TESTS = ["test_builds.py", "test_instances.py", "test_isolation.py"]

# The interpreter, and even the checkout, may lie in a home that is private to root. In a mount namespace of its own the
# home is covered by an empty directory that everybody may enter, and what the tests need is bound into it.
OPENED = """
set -e
for path in $PRIVATE; do
    mkdir -p "$HIDDEN/$path"
    mount --bind "$path" "$HIDDEN/$path"
done
for home in $HOMES; do mount -t tmpfs -o mode=755 tmpfs "$home"; done
for path in $PRIVATE; do
    mkdir -p "$path"
    mount --bind "$HIDDEN/$path" "$path"
done
exec setpriv --reuid $NOBODY --regid $NOBODY --clear-groups env -i PATH=/usr/bin:/bin HOME="$HIDDEN" TMPDIR=/tmp "$@"
"""


@pytest.fixture
def hidden() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="so-hidden-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path, ignore_errors=True)


def private_home(path: Path) -> Path | None:
    """The topmost directory on the way that others may not enter."""
    return next((parent for parent in reversed([path, *path.parents]) if not parent.stat().st_mode & 0o001), None)


@pytest.mark.parametrize("file", TESTS)
def test_the_driver_works_without_root(hidden: Path, file: str) -> None:
    if os.geteuid() != 0:
        pytest.skip("this run is without root already")
    needed = [Path(sys.base_prefix).resolve(), Path(sys.prefix), ROOT]
    private = [path for path in needed if private_home(path) is not None]
    homes = {str(private_home(path)) for path in private}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"tests/integration/orchestrator/{file}"]
    variables = {
        "PATH": os.defpath + ":/usr/sbin:/sbin",
        "PRIVATE": " ".join(shlex.quote(str(path)) for path in private),
        "HOMES": " ".join(sorted(homes)),
        "HIDDEN": str(hidden),
        "NOBODY": str(NOBODY),
    }
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", OPENED, "sh", *command],
        cwd=ROOT, env=variables, capture_output=True, text=True, timeout=110, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
