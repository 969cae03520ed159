"""A project whose owner says how to run or publish it: only the language and its dependencies are found."""

from __future__ import annotations

from dataclasses import replace

from orchestrator.build.frameworks import node, php, python
from orchestrator.build.plan import BuildPlan, Runtime
from orchestrator.build.tree import SourceTree


def base(tree: SourceTree, framework: str, runtime: Runtime | None = None) -> BuildPlan:
    """A plan that installs and builds, and lacks its run command or output.

    Args:
        tree: the app.
        framework: the id to write into the plan.
        runtime: the language, when the owner's framework implies one; else it is found.
    """
    plan = BuildPlan(framework, "dynamic", runtime or runtime_of(tree))
    match plan.runtime:
        case "python":
            return replace(plan, install=python.install(tree))
        case "node":
            return node.base(tree, framework) if tree.has("package.json") else plan
        case "php":
            return replace(plan, install=php.install(tree))
        case _:
            return plan


def runtime_of(tree: SourceTree) -> Runtime:
    """The language; Node's package.json counts last, because others use it for their assets."""
    if python.is_python(tree):
        return "python"
    if php.is_php(tree):
        return "php"
    return "node" if tree.has("package.json") or any(name.endswith((".js", ".mjs")) for name in tree.files) else "none"


def nothing(tree: SourceTree) -> None:
    """Recognises nothing: the owner chose to say it all."""
