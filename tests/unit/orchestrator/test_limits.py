"""An instance gets what its plan asks for, within what the platform gives."""

from dataclasses import replace

from orchestrator.build.running import AppLimits
from orchestrator.drivers.base import INSTANCE_LIMITS
from orchestrator.limits import instance_limits

CEILING = replace(INSTANCE_LIMITS, memory_bytes=1 << 30, processes=100, cpus=2.0)


def test_less_than_the_ceiling_is_given() -> None:
    limits = instance_limits(AppLimits(memory_bytes=1 << 28, cpus=0.5, processes=50), CEILING)
    assert (limits.memory_bytes, limits.cpus, limits.processes) == (1 << 28, 0.5, 50)
    assert limits.tmp_bytes == CEILING.tmp_bytes


def test_more_than_the_ceiling_is_not() -> None:
    limits = instance_limits(AppLimits(memory_bytes=1 << 34, cpus=8.0, processes=5000), CEILING)
    assert (limits.memory_bytes, limits.cpus, limits.processes) == (1 << 30, 2.0, 100)


def test_who_asks_for_no_limit_gets_the_ceiling_where_there_is_one() -> None:
    assert instance_limits(AppLimits(cpus=0.0), CEILING).cpus == 2.0
    assert instance_limits(AppLimits(cpus=0.0), replace(CEILING, cpus=0.0)).cpus == 0.0
