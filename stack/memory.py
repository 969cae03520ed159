"""What the platform's processes weigh: PSS, so that shared pages are counted once (proc(5), smaps_rollup)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from stack.orphans import children_of

GOAL_MB: Final = 500.0
_SANDBOXES: Final = ("bwrap",)


def measure(owner: int, units: Mapping[str, int]) -> dict[str, Any]:
    """Weighs every process tree of a stack.

    Args:
        owner: pid of `shipoff up`.
        units: pid by name.

    Returns:
        {"pss_mb": {name: MB}, "platform_mb": all but users' apps, "apps_mb": users' builds and apps, "goal_mb", "met"}.
    """
    pss: dict[str, float] = {"up": 0.0} | dict.fromkeys(units, 0.0)
    apps = 0.0
    names = {pid: name for name, pid in units.items()} | {owner: "up"}
    waiting = [(owner, "up")]
    while waiting:
        pid, group = waiting.pop()
        group = names.get(pid) or _group_of(pid, group)
        if group == "apps":
            apps += _pss_mb(pid)
        else:
            pss[group] = pss.get(group, 0.0) + _pss_mb(pid)
        waiting += [(child, group) for child in children_of(pid)]
    total = sum(pss.values())
    return {
        "pss_mb": {name: round(value, 1) for name, value in pss.items()},
        "platform_mb": round(total, 1),
        "apps_mb": round(apps, 1),
        "goal_mb": GOAL_MB,
        "met": total <= GOAL_MB,
    }


def _group_of(pid: int, parents: str) -> str:
    """A sandbox and all below it is a user's; an orphan of the router is the router's, and our own parts are ours."""
    try:
        arguments = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return parents
    if Path(arguments[0].decode(errors="replace")).name in _SANDBOXES:
        return "apps"
    if parents == "up" and b"-m" in arguments[:-1]:
        module = arguments[arguments.index(b"-m") + 1].decode(errors="replace")
        return module.removeprefix("stack.").partition(".")[0]
    return parents


def _pss_mb(pid: int) -> float:
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) / 1024
    except (OSError, ValueError):
        return 0.0  # it ended, or belongs to somebody else
    return 0.0
