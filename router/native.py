"""Chooses between the hot modules as they stand (pure Python) and their compiled form, and compiles them.

`HOT` lists the modules that Cython compiles, with the types that it is told in the `.pxd` beside each. The compiled
form is taken when it is whole and newer than its sources, as `make setup` leaves it; `SHIPOFF_ROUTER_PURE=1` forces the
pure one, which is the reference. All or nothing: compiled modules know each other's insides.
"""

# environ: the choice falls at import, before any settings can be read.
from __future__ import annotations

import importlib.machinery
import importlib.util
import os
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from pathlib import Path
from types import ModuleType
from typing import Any, Final

ROOT: Final = Path(__file__).parent
HOT: Final = (
    "core/body.py",
    "core/certificates.py",
    "core/head.py",
    "core/hosts.py",
    "core/packed.py",
    "core/paths.py",
    "core/balance.py",
    "core/request.py",
    "core/activity.py",
    "core/request_ids.py",
    "core/records.py",
    "core/releases.py",
    "core/retry.py",
    "core/table.py",
    "core/trust.py",
    "core/timing.py",
    "core/waits.py",
    "core/rules.py",
    "core/caching/asked.py",
    "core/caching/keys.py",
    "core/caching/memory.py",
    "core/caching/reuse.py",
    "core/caching/rule.py",
    "core/caching/stored.py",
    "metrics.py",
    "access_log/noted.py",
    "edge/context.py",
    "edge/receiver.py",
    "edge/transport.py",
    "edge/stream.py",
    "edge/poller.py",
    "edge/tls.py",
    "edge/answering.py",
    "edge/upstream.py",
    "edge/forward.py",
    "edge/server.py",
    "edge/policing.py",
    "edge/tunnel.py",
    "edge/caching/deliver.py",
    "edge/caching/responses.py",
)
# Only there when compiled; what imports them asks `COMPILED` first.
EXTRA: Final = ("access_log/quick.pyx", "access_log/writer.pyx", "core/scan.pyx", "edge/quick.pyx", "edge/syscalls.pyx")
_SUFFIX: Final = importlib.machinery.EXTENSION_SUFFIXES[0]
_DIRECTIVES: Final = {
    "language_level": 3,
    "annotation_typing": False,  # annotations are mypy's; the .pxd says what is typed
    "binding": False,
    "boundscheck": False,
    "wraparound": True,
    "auto_pickle": False,
    "embedsignature": False,
}


def built(source: str) -> Path:
    """Where the compiled form of a source is."""
    path = ROOT / source
    return path.with_name(path.name.partition(".")[0] + _SUFFIX)


def sources() -> list[Path]:
    """Everything that the compiled form depends on."""
    return [*(ROOT / name for name in (*HOT, *EXTRA)), *ROOT.rglob("*.pxd"), Path(__file__)]


def choose() -> bool:
    """Tells whether the compiled form is used; arranges that it is not used where it should not be."""
    if os.environ.get("SHIPOFF_ROUTER_PURE", "") in ("", "0") and is_fresh():
        return True
    sys.meta_path.insert(0, _Pure())
    return False


def is_fresh() -> bool:
    """Whether the compiled form is whole and not older than what it is made of."""
    try:
        oldest = min(built(name).stat().st_mtime for name in (*HOT, *EXTRA))
    except FileNotFoundError:
        return False
    return oldest >= max(path.stat().st_mtime for path in sources())


def build() -> None:
    """Compiles every hot module in place; needs the extra `compiled` and a C compiler.

    Raises:
        ImportError: Cython or setuptools is missing.
        Exception: of setuptools, when the compiler fails.
    """
    from Cython.Build import cythonize
    from setuptools import Extension
    from setuptools.dist import Distribution

    os.chdir(ROOT.parent)
    modules = [
        Extension(_name(source), [f"router/{source}"], extra_compile_args=["-O3", "-g0"]) for source in (*EXTRA, *HOT)
    ]
    workers = len(os.sched_getaffinity(0))
    compile_all: Any = cythonize
    made = compile_all(
        modules,
        compiler_directives=_DIRECTIVES,
        nthreads=workers,
        build_dir="build/native",
        force=_types_changed(),
        quiet=True,
    )
    command = Distribution({"ext_modules": made, "name": "shipoff"}).get_command_obj("build_ext")
    command.inplace, command.parallel, command.build_temp = True, workers, "build/native"
    command.ensure_finalized()
    command.run()
    for name in (*HOT, *EXTRA):
        built(name).touch()  # what did not change was not compiled again, and is as good as new


def _types_changed() -> bool:
    """Whether a module may know another's insides as they were: Cython does not follow every cimport."""
    there = [path.stat().st_mtime for name in (*HOT, *EXTRA) if (path := built(name)).exists()]
    return bool(there) and max(path.stat().st_mtime for path in ROOT.rglob("*.pxd")) > min(there)


def _name(source: str) -> str:
    return f"router.{source.partition('.')[0].replace('/', '.')}"


class _Pure(MetaPathFinder):
    """Finds the `.py` of a hot module where Python would prefer a shared object beside it."""

    def __init__(self) -> None:
        self._paths = {_name(source): ROOT / source for source in HOT}

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        file = self._paths.get(fullname)
        return importlib.util.spec_from_file_location(fullname, file) if file is not None else None
