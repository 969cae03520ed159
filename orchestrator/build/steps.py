"""Runs a job's commands for a deployment, and makes one error of what went wrong."""

from __future__ import annotations

from orchestrator.attempt import Attempt
from orchestrator.build.failure import failure
from orchestrator.drivers.base import BuildJob, Driver
from orchestrator.failures import ProcessFailedError


async def run_steps(driver: Driver, attempt: Attempt, job: BuildJob) -> None:
    """Runs them, if there are any; their lines go to the attempt's log, their durations to its timings.

    Raises:
        ProcessFailedError: one of them failed.
        ShipoffError: the driver can't run it.
    """
    if not job.commands:
        return
    result = await driver.build(job, attempt.log.line)
    attempt.timings_ms |= {f"build.{step}": spent for step, spent in result.timings_ms.items()}
    if not result.ok:
        # No last lines: the log has them already.
        raise ProcessFailedError(failure(job, result), result.exit_status, ())
