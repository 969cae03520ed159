"""The environment that the platform's processes start from, and where a user's state lies by default."""

# environ: services need the operator's PATH, proxies and certificates, and XDG_STATE_HOME says where state belongs.

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final

_OURS: Final = "SHIPOFF_"
# Idle memory counts: fewer malloc arenas, and no column numbers for every instruction.
_PROCESS: Final = {
    "MALLOC_ARENA_MAX": "2",
    "PYTHONNODEBUGRANGES": "1",
    "PYTHONSAFEPATH": "1",  # a folder of the state directory must never be taken for a package
    "GRPC_ENABLE_FORK_SUPPORT": "0",  # our forks exec at once
}


def inherited() -> dict[str, str]:
    """The operator's environment without settings of the platform, which each process gets one by one."""
    return {name: value for name, value in os.environ.items() if not name.startswith(_OURS)} | _PROCESS


def tuning(services: Iterable[str]) -> dict[str, str]:
    """What the operator set for services by name (SHIPOFF_ORCHESTRATOR_START_S=20); the platform's own win."""
    prefixes = tuple(f"{_OURS}{service.upper()}_" for service in services)
    return {name: value for name, value in os.environ.items() if name.startswith(prefixes)}


def default_directory() -> Path:
    """Where the platform keeps its state unless --dir says otherwise."""
    if os.geteuid() == 0:
        return Path("/var/lib/shipoff")
    return _xdg("XDG_STATE_HOME", ".local/state") / "shipoff"


def cache_directory() -> Path:
    """What can be fetched again and is shared by all stacks of the user."""
    return _xdg("XDG_CACHE_HOME", ".cache") / "shipoff"


def _xdg(name: str, fallback: str) -> Path:
    value = os.environ.get(name, "")
    return Path(value) if value.startswith("/") else Path.home() / fallback
