"""Node.js: what all its frameworks share (package managers, scripts, dependencies), and any server with a start."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any, Final

from orchestrator.build.plan import BuildPlan
from orchestrator.build.tree import SourceTree

# What serves requests by itself; a project that has one of these is no static site even if a bundler builds its pages.
_SERVERS: Final = frozenset(
    {
        "express",
        "fastify",
        "koa",
        "hono",
        "@hono/node-server",
        "@hapi/hapi",
        "restify",
        "polka",
        "h3",
        "nitropack",
        "nuxt",
        "@nestjs/core",
        "@remix-run/serve",
        "@react-router/serve",
        "@react-router/node",
        "@sveltejs/adapter-node",
        "@astrojs/node",
        "next",
        "apollo-server",
        "@apollo/server",
        "socket.io",
    }
)
_MAINS: Final = (
    "server.js",
    "index.js",
    "app.js",
    "main.js",
    "server.mjs",
    "index.mjs",
    "src/server.js",
    "src/index.js",
)


def node(tree: SourceTree) -> BuildPlan | None:
    """Anything with a start script or a customary main file; pages alone with a package.json are no server."""
    return server(tree, "node") if tree.has("package.json") else None


def server(tree: SourceTree, framework: str) -> BuildPlan | None:
    """A server that is started as package.json says; None when it says nothing."""
    run = start(tree, tree.json("package.json"))
    return replace(base(tree, framework), run=run) if run else None


def base(tree: SourceTree, framework: str) -> BuildPlan:
    """A server that is yet to get its run command: installed, and built when it has a build script."""
    package = tree.json("package.json")
    build = script(package, "build")
    # Without a build step, what only development needs would be dead weight in every start.
    command = install(tree, production=not build)
    return BuildPlan(framework, "dynamic", "node", install=command, build=build)


def start(tree: SourceTree, package: dict[str, Any]) -> str:
    """The run command, "" when there is none."""
    if said := _started_by(package, "start"):
        return said
    main = str(package.get("main", ""))
    if main and main in tree.files:
        return f"exec node {_quoted(main)}"
    for name in _MAINS:
        if name in tree.files and not tree.has("index.html"):
            return f"exec node {name}"
    return ""


def start_in_production(package: dict[str, Any]) -> str:
    """What the script `start:prod` runs, "" without one."""
    return _started_by(package, "start:prod")


def _started_by(package: dict[str, Any], name: str) -> str:
    scripts = scripts_of(package)
    command = scripts.get(name, "")
    # npm itself would stay in memory (40 MB) and between the platform's SIGTERM and the app.
    plain = not {f"pre{name}", f"post{name}"} & scripts.keys() and "npm" not in command
    return command if plain else f"exec npm {'start' if name == 'start' else f'run {name}'}"


def install(tree: SourceTree, *, production: bool = False) -> str:
    """The command of the package manager whose lock file is there."""
    if tree.has("pnpm-lock.yaml"):
        return f"{_manager(tree, 'pnpm', '10')} install --frozen-lockfile" + (" --prod" if production else "")
    if tree.has("yarn.lock"):
        return f"{_manager(tree, 'yarn', '1')} install --frozen-lockfile" + (" --production" if production else "")
    verb = "ci" if tree.has("package-lock.json", "npm-shrinkwrap.json") else "install"
    return f"npm {verb} " + ("--omit=dev" if production else "--include=dev")


def _manager(tree: SourceTree, name: str, default: str) -> str:
    """Through npx in the version that package.json names, because machines have neither pnpm nor yarn."""
    wanted = str(tree.json("package.json").get("packageManager", ""))
    match = re.fullmatch(rf"{name}@(\d[\w.-]*)(\+.*)?", wanted)
    return f"npx --yes {name}@{match[1] if match else default}"


def scripts_of(package: dict[str, Any]) -> dict[str, str]:
    """The scripts, by name."""
    scripts = package.get("scripts", {})
    return {str(k): str(v) for k, v in scripts.items()} if isinstance(scripts, dict) else {}


def script(package: dict[str, Any], name: str) -> str:
    """The command that runs a script, "" when there is none of that name."""
    return f"npm run {name}" if name in scripts_of(package) else ""


def dependencies(package: dict[str, Any]) -> set[str]:
    """All packages that it names, those for development too."""
    found: set[str] = set()
    for key in ("dependencies", "devDependencies"):
        found |= set(package.get(key) or {})
    return found


def serves(package: dict[str, Any]) -> bool:
    """Whether it depends on something that answers requests by itself."""
    return bool(_SERVERS & set(package.get("dependencies") or {}))


def config(tree: SourceTree, stem: str) -> str:
    """The text of a tool's configuration, in whichever kind of JavaScript it is."""
    return "\n".join(tree.text(f"{stem}.{suffix}") for suffix in ("js", "mjs", "cjs", "ts", "mts"))


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"
