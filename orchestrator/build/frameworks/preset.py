"""A plan by the catalogue's words (kernel/frameworks.py), for what a tree leaves as usual."""

from __future__ import annotations

from kernel.frameworks import BY_ID
from orchestrator.build.plan import BuildPlan


def preset(framework: str) -> BuildPlan:
    """The usual plan of a framework."""
    found = BY_ID[framework]
    return BuildPlan(
        found.id,
        found.kind,
        found.runtime,
        install=found.install,
        build=found.build,
        run=found.run,
        output_dir=found.output,
        spa=found.spa,
    )


def marked_by(framework: str, dependencies: set[str]) -> bool:
    """Whether any of these packages marks a framework."""
    return not dependencies.isdisjoint(BY_ID[framework].packages)
