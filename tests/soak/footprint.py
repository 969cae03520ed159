"""Memory and descriptors of the platform's services, read from /proc: what grows over an hour leaks."""

from __future__ import annotations

from pathlib import Path
from statistics import median
from typing import NamedTuple

from tests.integration.orchestrator.faults.rig import Rig

SPARE_DESCRIPTORS = 40
SPARE_BYTES = 48 << 20


class Footprint(NamedTuple):
    """What a service and its children take: open descriptors, and bytes that are theirs alone."""

    descriptors: int
    private: int


def footprints(rig: Rig) -> dict[str, Footprint]:
    """By unit; those that run."""
    return {name: _of(process.pid) for name, (_, process) in rig.running.items() if process.returncode is None}


def grown(samples: list[dict[str, Footprint]]) -> list[str]:
    """Who took clearly more in the last quarter than in the second one, which begins when everything is warm."""
    quarter = len(samples) // 4
    found = []
    for name in sorted(set.intersection(*(set(sample) for sample in samples))) if quarter else ():
        early, late = (
            [sample[name] for sample in part] for part in (samples[quarter : 2 * quarter], samples[-quarter:])
        )
        for field, spare in (("descriptors", SPARE_DESCRIPTORS), ("private", SPARE_BYTES)):
            before, after = (median(getattr(one, field) for one in part) for part in (early, late))
            if after > before * 1.25 + spare:
                found.append(f"{name}: {field} grew from {before:.0f} to {after:.0f}")
    return found


def _of(pid: int) -> Footprint:
    descriptors = private = 0
    for one in _tree(pid):
        try:
            descriptors += sum(1 for _ in Path(f"/proc/{one}/fd").iterdir())
            rollup = Path(f"/proc/{one}/smaps_rollup").read_text()
        except OSError:  # it has just ended
            continue
        private += sum(int(line.split()[1]) << 10 for line in rollup.splitlines() if line.startswith("Private_"))
    return Footprint(descriptors, private)


def _tree(pid: int) -> list[int]:
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return []
    return [pid, *(one for child in children for one in _tree(int(child)))]
