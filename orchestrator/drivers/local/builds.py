"""Runs a plan's steps, each in a sandbox of its own that dies with this process, its task or its deadline."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

from orchestrator.build.plan import BuildPlan
from orchestrator.drivers.base import BuildJob, BuildResult, OnLine, Reason, signal_name
from orchestrator.drivers.local.downloads import Downloads
from orchestrator.drivers.local.ground import Ground
from orchestrator.drivers.local.output import BuildOutput
from orchestrator.drivers.local.sandbox import CACHE, Sandbox
from orchestrator.drivers.local.step import Step


class LocalBuilds:
    """Builds on this machine."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self.downloads = Downloads(ground)

    async def run(self, job: BuildJob, on_line: OnLine) -> BuildResult:
        """Runs the steps; see `Driver.build`."""
        if not job.commands:
            return BuildResult(ok=True)
        output = BuildOutput(job.limits, on_line)
        sandbox = await self._sandbox(job, await self.downloads.prepare(job, output))
        deadline, timings = time.monotonic() + job.limits.deadline_s, dict[str, int]()
        for name, command in job.commands:
            began = time.monotonic()
            await output.command(command)
            step = Step(self._ground, job, sandbox, name, output)
            reason, status = await step.run(command, step_environment(job), deadline)
            timings[name] = round((time.monotonic() - began) * 1000)
            await output.say(f"{name} {_ended(reason, status)} after {timings[name] / 1000:.1f} s")
            if reason:
                return BuildResult(False, name, reason, status, tuple(output.last), timings)
        await self.downloads.keep(job, output)
        return BuildResult(ok=True, timings_ms=timings)

    async def _sandbox(self, job: BuildJob, cache: Path) -> Sandbox:
        ground = self._ground
        egress = await ground.egress.open(job.project_id)
        sandbox = ground.sandbox(
            job.source_dir, job.project_id, job.plan.runtime, job.limits, cache=cache, egress=egress
        )
        if sandbox.uid is not None:
            await asyncio.to_thread(give, job.source_dir, sandbox.uid)
        return sandbox


def step_environment(job: BuildJob) -> dict[str, str]:
    """The variables of a step: where tools keep their downloads, the plan's, and over these the project's own."""
    return build_environment(job.plan) | dict(job.plan.build_env) | dict(job.env)


def build_environment(plan: BuildPlan) -> dict[str, str]:
    """Where tools keep their downloads, and how to make them quiet."""
    env = {
        "XDG_CACHE_HOME": str(CACHE),
        "npm_config_cache": str(CACHE / "npm"),
        "UV_CACHE_DIR": str(CACHE / "uv"),
        "PIP_CACHE_DIR": str(CACHE / "pip"),
        "COMPOSER_CACHE_DIR": str(CACHE / "composer"),
        "COMPOSER_NO_INTERACTION": "1",
        "npm_config_fund": "false",
        "npm_config_audit": "false",
        "npm_config_update_notifier": "false",
        "npm_config_progress": "false",
        "NEXT_TELEMETRY_DISABLED": "1",
        "ASTRO_TELEMETRY_DISABLED": "1",
        "NO_COLOR": "1",
        # A .pyc that a build's own scripts leave has the time of its source in it, which packing changes.
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    if plan.runtime == "python":
        env["VIRTUAL_ENV"] = str(Path("/app", plan.root_dir, ".venv"))
    return env


def give(tree: Path, uid: int) -> None:
    """Gives a tree to a uid; links themselves, never what they point to."""
    os.lchown(tree, uid, uid)
    for directory, names, files in os.walk(tree):
        for name in (*names, *files):
            os.lchown(os.path.join(directory, name), uid, uid)  # noqa: PTH118 - ten thousands of files


def _ended(reason: Reason, status: int) -> str:
    """How a step ended, in words."""
    match reason:
        case "":
            return "done"
        case "exit":
            return f"failed with status {status}"
        case "signal":
            return f"was ended by {signal_name(-status)}"
        case _:
            return f"was stopped by the platform ({reason})"
