"""JavaScript: Next.js, Vite and other bundlers, and any server with a start script."""

from __future__ import annotations

import re
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


def next_js(tree: SourceTree) -> BuildPlan | None:
    """Next.js: a server, or a static site when its configuration says `output: 'export'`."""
    package = tree.json("package.json")
    if "next" not in _dependencies(package):
        return None
    config = _config(tree, "next.config")
    build = _script(package, "build") or "next build"
    if re.search(r"output\s*:\s*['\"]export['\"]", config):
        return BuildPlan("next", "static", "node", install=install(tree), build=build, output_dir="out")
    run = 'exec next start -H 0.0.0.0 -p "$PORT"'
    return BuildPlan("next", "dynamic", "node", install=install(tree), build=build, run=run)


def vite(tree: SourceTree) -> BuildPlan | None:
    """Vite without a server of its own: a static site, one page for all paths."""
    package = tree.json("package.json")
    if "vite" not in _dependencies(package) or _serves(package):
        return None
    match = re.search(r"outDir\s*:\s*['\"]([^'\"]+)['\"]", _config(tree, "vite.config"))
    output = match[1].removeprefix("./").rstrip("/") if match and ".." not in match[1] else "dist"
    build = _script(package, "build") or "vite build"
    return BuildPlan("vite", "static", "node", install=install(tree), build=build, output_dir=output, spa=True)


def other_spa(tree: SourceTree) -> BuildPlan | None:
    """The other bundlers whose output folder is known."""
    package = tree.json("package.json")
    build = _script(package, "build")
    if not build or _serves(package):
        return None
    for name, (output, spa) in _BUNDLERS.items():
        if name in _dependencies(package):
            return BuildPlan("spa", "static", "node", install=install(tree), build=build, output_dir=output, spa=spa)
    return None


def node(tree: SourceTree) -> BuildPlan | None:
    """Anything with a start script or a customary main file; pages alone with a package.json are no server."""
    if not tree.has("package.json"):
        return None
    package = tree.json("package.json")
    run = start(tree, package)
    return None if run == "" else _with(base(tree, "node"), run)


def base(tree: SourceTree, framework: str) -> BuildPlan:
    """A server that is yet to get its run command: installed, and built when it has a build script."""
    package = tree.json("package.json")
    build = _script(package, "build")
    # Without a build step, what only development needs would be dead weight in every start.
    command = install(tree, production=not build)
    return BuildPlan(framework, "dynamic", "node", install=command, build=build)


def start(tree: SourceTree, package: dict[str, Any]) -> str:
    """The run command, "" when there is none."""
    scripts = _scripts(package)
    if script := scripts.get("start", ""):
        # npm itself would stay in memory (40 MB) and between the platform's SIGTERM and the app.
        plain = not {"prestart", "poststart"} & scripts.keys() and "npm" not in script
        return script if plain else "exec npm start"
    main = str(package.get("main", ""))
    if main and main in tree.files:
        return f"exec node {_quoted(main)}"
    for name in _MAINS:
        if name in tree.files and not tree.has("index.html"):
            return f"exec node {name}"
    return ""


def install(tree: SourceTree, *, production: bool = False) -> str:
    """The command of the package manager whose lock file is there."""
    if tree.has("pnpm-lock.yaml"):
        return f"{_manager(tree, 'pnpm', '10')} install --frozen-lockfile" + (" --prod" if production else "")
    if tree.has("yarn.lock"):
        return f"{_manager(tree, 'yarn', '1')} install --frozen-lockfile" + (" --production" if production else "")
    verb = "ci" if tree.has("package-lock.json", "npm-shrinkwrap.json") else "install"
    return f"npm {verb} " + ("--omit=dev" if production else "--include=dev")


def _with(plan: BuildPlan, run: str) -> BuildPlan:
    return BuildPlan(plan.framework, "dynamic", "node", install=plan.install, build=plan.build, run=run)


def _manager(tree: SourceTree, name: str, default: str) -> str:
    """Through npx in the version that package.json names, because machines have neither pnpm nor yarn."""
    wanted = str(tree.json("package.json").get("packageManager", ""))
    match = re.fullmatch(rf"{name}@(\d[\w.-]*)(\+.*)?", wanted)
    return f"npx --yes {name}@{match[1] if match else default}"


def _scripts(package: dict[str, Any]) -> dict[str, str]:
    scripts = package.get("scripts", {})
    return {str(k): str(v) for k, v in scripts.items()} if isinstance(scripts, dict) else {}


def _script(package: dict[str, Any], name: str) -> str:
    return f"npm run {name}" if name in _scripts(package) else ""


def _dependencies(package: dict[str, Any]) -> set[str]:
    found: set[str] = set()
    for key in ("dependencies", "devDependencies"):
        found |= set(package.get(key) or {})
    return found


def _serves(package: dict[str, Any]) -> bool:
    return bool(_SERVERS & set(package.get("dependencies") or {}))


def _config(tree: SourceTree, stem: str) -> str:
    return "\n".join(tree.text(f"{stem}.{suffix}") for suffix in ("js", "mjs", "cjs", "ts", "mts"))


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"
