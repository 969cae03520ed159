"""Why a build failed, as one error for the person who pushed."""

from __future__ import annotations

from kernel.errors import ShipoffError, define
from orchestrator.drivers.base import BuildJob, BuildResult, signal_name

BUILD_FAILED = define(
    "BUILD_FAILED",
    source="client",
    status=422,
    hint="the last lines of the failed command say why; the old release serves on",
)
BUILD_TIMED_OUT = define(
    "BUILD_TIMED_OUT", source="client", status=422, hint="make the build faster, or ask for more time"
)
BUILD_OUT_OF_MEMORY = define(
    "BUILD_OUT_OF_MEMORY", source="client", status=422, hint="make the build smaller, or ask for more"
)
BUILD_OUT_OF_DISK = define("BUILD_OUT_OF_DISK", source="client", status=422, hint="write less, or ask for more")
BUILD_OUTPUT_TOO_LARGE = define(
    "BUILD_OUTPUT_TOO_LARGE", source="client", status=422, hint="write what is of use later to a file, or say less"
)


def failure(job: BuildJob, result: BuildResult) -> ShipoffError:
    """The error of a build that is not ok."""
    step, limits = result.failed_step, job.limits
    match result.reason:
        case "deadline":
            return BUILD_TIMED_OUT(f"the {step} command did not end within {limits.deadline_s:.0f} s")
        case "memory":
            return BUILD_OUT_OF_MEMORY(f"the {step} command needs more than {limits.memory_bytes >> 20} MiB of memory")
        case "disk":
            return BUILD_OUT_OF_DISK(
                f"the {step} command wrote more than {limits.disk_bytes >> 20} MiB or {limits.entries} files, "
                "or filled what this machine has"
            )
        case "output":
            return BUILD_OUTPUT_TOO_LARGE(f"the {step} command said more than {limits.output_bytes >> 20} MiB")
        case "signal":
            return BUILD_FAILED(f"the {step} command was ended by {signal_name(-result.exit_status)}")
        case _:
            return BUILD_FAILED(f"the {step} command ended with status {result.exit_status}")
