"""A plan as lines for people: the build log shows them before anything runs, `shipoff plan` without building."""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator.build.plan import BuildPlan
from orchestrator.build.running import AppLimits, Health, Scaling


def describe(plan: BuildPlan) -> list[str]:
    """One line for each thing that the plan decides; what has its default is left out."""
    return [f"framework {plan.framework}", *(f"  {name:<8} {value}" for name, value in _decisions(plan))]


def _decisions(plan: BuildPlan) -> Iterator[tuple[str, str]]:
    if plan.root_dir:
        yield "in", plan.root_dir
    yield from plan.steps
    if plan.release_command:
        yield "release", plan.release_command
    if plan.kind == "static":
        yield "serves", (plan.output_dir or "the files as they are") + (", one page for all paths" if plan.spa else "")
    for process in plan.processes:
        count = f" (×{process.instances})" if process.kind == "worker" and process.instances != 1 else ""
        yield ("runs", process.command) if process.kind == "web" else (process.name, process.command + count)
    for job in plan.crons:
        yield "cron", f"{job.name} at {job.schedule} {job.timezone}: {job.command}"
    if plan.kind == "dynamic":
        yield from _running(plan)
    if plan.rules:
        yield "rules", ", ".join(sorted(plan.rules))


def _running(plan: BuildPlan) -> Iterator[tuple[str, str]]:
    if plan.health != Health():
        yield "health", "the port accepts" if plan.health.kind == "tcp" else f"GET {plan.health.path}"
    if plan.scaling != Scaling():
        yield "scaling", f"{plan.scaling.min} to {plan.scaling.max} instances"
    if plan.limits != AppLimits():
        cpus = f", {plan.limits.cpus:g} processors" if plan.limits.cpus else ""
        yield "limits", f"{plan.limits.memory_bytes >> 20} MiB{cpus}"
