"""What is built with Node.js and served as files: the presets that have a folder of their own, and other bundlers."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any, Final

from kernel.frameworks import BY_ID
from orchestrator.build.frameworks import node
from orchestrator.build.frameworks.preset import marked_by, preset
from orchestrator.build.plan import BuildPlan
from orchestrator.build.tree import SourceTree

# Bundlers that write a site: package -> (folder, whether unknown paths belong to its index.html).
_BUNDLERS: Final[dict[str, tuple[str, bool]]] = {
    "react-scripts": ("build", True),
    "@vue/cli-service": ("dist", True),
    "astro": ("dist", False),
    "gatsby": ("public", False),
    "@11ty/eleventy": ("_site", False),
    "vitepress": (".vitepress/dist", False),
    "parcel": ("dist", True),
    "@docusaurus/core": ("build", False),
}


def angular(tree: SourceTree) -> BuildPlan | None:
    """Angular: angular.json names the project and where its files go; with a server for its pages it is dynamic."""
    package = tree.json("package.json")
    if not marked_by("angular", node.dependencies(package)) or not tree.has("angular.json"):
        return None
    name, builder, options = _angular_build(tree.json("angular.json"))
    base, browser = _angular_output(name, builder, options.get("outputPath"))
    found = _built(tree, "angular", base + browser)
    server = options.get("outputMode") == "server" or (options.get("ssr") and options.get("outputMode") != "static")
    if not server:
        return found
    return replace(found, kind="dynamic", output_dir="", spa=False, run=f"exec node {base}/server/server.mjs")


def sveltekit(tree: SourceTree) -> BuildPlan | None:
    """SvelteKit: a server with adapter-node, else what adapter-static writes."""
    package = tree.json("package.json")
    packages = node.dependencies(package)
    if not marked_by("sveltekit", packages):
        return None
    found = _built(tree, "sveltekit", BY_ID["sveltekit"].output)
    if "@sveltejs/adapter-node" in packages:
        return replace(found, kind="dynamic", output_dir="", run="exec node build")
    fallback = re.search(r"fallback\s*:\s*['\"]index\.html['\"]", node.config(tree, "svelte.config"))
    return replace(found, spa=fallback is not None)


def astro(tree: SourceTree) -> BuildPlan | None:
    """Astro: files, or a server with @astrojs/node."""
    package = tree.json("package.json")
    packages = node.dependencies(package)
    if not marked_by("astro", packages):
        return None
    if "@astrojs/node" not in packages:
        return None if node.serves(package) else _built(tree, "astro", _output(tree, "astro.config"))
    found = replace(_built(tree, "astro", ""), kind="dynamic", run="exec node dist/server/entry.mjs")
    return replace(found, run_env={"HOST": "0.0.0.0"})  # noqa: S104 - an app listens inside its sandbox


def react(tree: SourceTree) -> BuildPlan | None:
    """React, by Vite or by Create React App."""
    return _by_cli_or_vite(tree, "react", "react-scripts", "build")


def vue(tree: SourceTree) -> BuildPlan | None:
    """Vue, by Vite or by its own older tool."""
    return _by_cli_or_vite(tree, "vue", "@vue/cli-service", "dist")


def svelte(tree: SourceTree) -> BuildPlan | None:
    """Svelte by Vite, without SvelteKit."""
    return _by_cli_or_vite(tree, "svelte")


def vite(tree: SourceTree) -> BuildPlan | None:
    """Vite without a server of its own: a static site, one page for all paths."""
    return _by_cli_or_vite(tree, "vite")


def other_spa(tree: SourceTree) -> BuildPlan | None:
    """The other bundlers whose output folder is known."""
    package = tree.json("package.json")
    if not node.script(package, "build") or node.serves(package):
        return None
    for name, (output, spa) in _BUNDLERS.items():
        if name in node.dependencies(package):
            return replace(_built(tree, "spa", output), spa=spa)
    return None


def _by_cli_or_vite(tree: SourceTree, framework: str, cli: str = "", cli_output: str = "") -> BuildPlan | None:
    package = tree.json("package.json")
    packages = node.dependencies(package)
    if node.serves(package) or not marked_by(framework, packages):
        return None
    if cli and cli in packages:
        return _built(tree, framework, cli_output)
    if "vite" not in packages:
        return None
    found = _built(tree, framework, _output(tree, "vite.config"))
    return found if node.script(package, "build") else replace(found, build="vite build")


def _built(tree: SourceTree, framework: str, output: str) -> BuildPlan:
    return replace(preset(framework), install=node.install(tree), output_dir=output)


def _output(tree: SourceTree, config: str) -> str:
    match = re.search(r"outDir\s*:\s*['\"]([^'\"]+)['\"]", node.config(tree, config))
    return match[1].removeprefix("./").rstrip("/") if match and ".." not in match[1] else "dist"


def _angular_build(workspace: dict[str, Any]) -> tuple[str, str, dict[str, Any]]:
    """The application that is built, its builder, and the builder's options (angular.dev/reference/configs)."""
    projects = _table(workspace.get("projects"))
    apps = [name for name, one in projects.items() if _table(one).get("projectType") != "library"]
    default = workspace.get("defaultProject")
    name = str(default) if default in projects else next(iter(apps), "app")
    project = _table(projects.get(name))
    target = _table(_table(project.get("architect") or project.get("targets")).get("build"))
    return name, str(target.get("builder", "")), _table(target.get("options"))


def _angular_output(name: str, builder: str, said: object) -> tuple[str, str]:
    """The folder of a build, and below it that of what browsers get."""
    path = _table(said)
    base = str(path.get("base") or (said if isinstance(said, str) and said else f"dist/{name}"))
    base = f"dist/{name}" if ".." in base else base.removeprefix("./").strip("/")
    if builder.endswith(":browser"):  # until Angular 17
        return base, ""
    browser = str(path.get("browser", "browser"))
    return base, f"/{browser}" if browser and ".." not in browser else ""


def _table(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
