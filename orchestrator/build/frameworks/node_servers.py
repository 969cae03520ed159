"""Servers on Node.js whose frameworks say how they are started in production."""

from __future__ import annotations

import re
from dataclasses import replace

from kernel.frameworks import BY_ID
from orchestrator.build.frameworks import node
from orchestrator.build.frameworks.preset import marked_by, preset
from orchestrator.build.plan import BuildPlan
from orchestrator.build.tree import SourceTree


def next_js(tree: SourceTree) -> BuildPlan | None:
    """Next.js: a server, or a static site when its configuration says `output: 'export'`."""
    found = _of_framework(tree, "next", "next build")
    if found and re.search(r"output\s*:\s*['\"]export['\"]", node.config(tree, "next.config")):
        return replace(found, kind="static", run="", output_dir="out")
    return found


def nuxt(tree: SourceTree) -> BuildPlan | None:
    """Nuxt: a server, or a static site when its build script generates one."""
    found = _of_framework(tree, "nuxt", "nuxt build")
    if found and re.search(r"\bnux[ti] generate\b", node.scripts_of(tree.json("package.json")).get("build", "")):
        return replace(found, kind="static", run="", output_dir=".output/public")
    return found


def nest(tree: SourceTree) -> BuildPlan | None:
    """NestJS: `start` is for development there, `start:prod` for us."""
    found = _of_framework(tree, "nest", "nest build")
    said = node.start_in_production(tree.json("package.json"))
    return replace(found, run=said or BY_ID["nest"].run) if found else None


def express(tree: SourceTree) -> BuildPlan | None:
    """Express, started as package.json says."""
    return _started(tree, "express")


def fastify(tree: SourceTree) -> BuildPlan | None:
    """Fastify, started as package.json says; its own command line listens on loopback unless told otherwise."""
    found = _started(tree, "fastify")
    return replace(found, run_env={"FASTIFY_ADDRESS": "0.0.0.0"}) if found else None  # noqa: S104 - in a sandbox


def _of_framework(tree: SourceTree, framework: str, build: str) -> BuildPlan | None:
    package = tree.json("package.json")
    if not marked_by(framework, node.dependencies(package)):
        return None
    build = node.script(package, "build") or build
    return replace(preset(framework), install=node.install(tree), build=build)


def _started(tree: SourceTree, framework: str) -> BuildPlan | None:
    package = tree.json("package.json")
    return node.server(tree, framework) if marked_by(framework, set(package.get("dependencies") or {})) else None
