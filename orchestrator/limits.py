"""What an instance gets: what its plan asks for, within what the platform gives at most."""

from __future__ import annotations

from dataclasses import replace

from orchestrator.build.running import AppLimits
from orchestrator.drivers.base import Limits


def instance_limits(asked: AppLimits, ceiling: Limits) -> Limits:
    """The limits of an instance.

    Args:
        asked: by the plan.
        ceiling: at most that; what a plan does not speak of is as it is there. `cpus` 0 is no limit.
    """
    cpus = min(asked.cpus or ceiling.cpus, ceiling.cpus) if ceiling.cpus else asked.cpus
    return replace(
        ceiling,
        memory_bytes=min(asked.memory_bytes, ceiling.memory_bytes),
        processes=min(asked.processes, ceiling.processes),
        cpus=cpus,
    )
