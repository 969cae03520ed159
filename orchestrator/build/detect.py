"""From a source tree and the owner's settings to a plan. Pure: the same tree and settings give the same plan.

What the owner said wins over what is found, field by field: first `shipoff.toml` in the repository, then the project's
settings. With nothing said, frameworks are tried in the order of `FRAMEWORKS`, the most specific first.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Final

from kernel.errors import define
from kernel.frameworks import BY_ID, CATALOG
from orchestrator.build import project_file
from orchestrator.build.frameworks import (
    custom,
    hugo,
    node,
    node_servers,
    node_sites,
    php,
    procfile,
    python,
    static,
)
from orchestrator.build.plan import BuildPlan, BuildSettings, Runtime
from orchestrator.build.running import Health
from orchestrator.build.tree import SourceTree

FRAMEWORK_UNKNOWN = define(
    "FRAMEWORK_UNKNOWN",
    source="client",
    status=422,
    hint="say it explicitly: framework, or output_dir of a static site, or run_command of an app that listens on $PORT",
)
BUILD_PLAN_INVALID = define("BUILD_PLAN_INVALID", source="client", status=422)

Recogniser = Callable[[SourceTree], BuildPlan | None]
_RECOGNISERS: Final[dict[str, Recogniser]] = {
    "procfile": procfile.procfile,
    "laravel": php.laravel,
    "lumen": php.lumen,
    "symfony": php.symfony,
    "django": python.django,
    "hugo": hugo.hugo,
    "next": node_servers.next_js,
    "nuxt": node_servers.nuxt,
    "nest": node_servers.nest,
    "angular": node_sites.angular,
    "sveltekit": node_sites.sveltekit,
    "astro": node_sites.astro,
    "react": node_sites.react,
    "vue": node_sites.vue,
    "svelte": node_sites.svelte,
    "vite": node_sites.vite,
    "spa": node_sites.other_spa,
    "express": node_servers.express,
    "fastify": node_servers.fastify,
    "node": node.node,
    "fastapi": python.fastapi,
    "flask": python.flask,
    "asgi": python.asgi,
    "wsgi": python.wsgi,
    "php": php.php,
    "static": static.static,
    "custom": custom.nothing,
}
FRAMEWORKS: Final = {one.id: _RECOGNISERS[one.id] for one in CATALOG}  # the catalogue's order
LOOKED_FOR: Final = (
    "Procfile; package.json with a framework, a bundler or a start script; hugo.toml; an app of FastAPI, Flask, Django "
    "or any ASGI/WSGI framework (main.py, app.py …); index.php, public/index.php or composer.json; "
    "index.html or public/index.html"
)


def detect(root: Path, settings: BuildSettings) -> BuildPlan:
    """Makes the plan for the tree at a directory.

    Raises:
        ShipoffError: FRAMEWORK_UNKNOWN, BUILD_PLAN_INVALID, SHIPOFF_TOML_INVALID.
    """
    inside = _relative("root_dir", settings.root_dir)
    app = root / inside
    # A link on the way could lead anywhere; `resolve` follows it, so the result must still be inside.
    if not app.is_dir() or not app.resolve().is_relative_to(root.resolve()):
        raise BUILD_PLAN_INVALID(f"root_dir {inside!r} is no directory of the repository")
    return plan(SourceTree.at(app), settings)


def plan(tree: SourceTree, settings: BuildSettings) -> BuildPlan:
    """Makes the plan for a tree whose root is `settings.root_dir` of the repository.

    Raises:
        ShipoffError: FRAMEWORK_UNKNOWN, BUILD_PLAN_INVALID, SHIPOFF_TOML_INVALID.
    """
    file = project_file.ProjectFile.read(tree.text(project_file.NAME))
    return file.onto(_decided(tree, file.over(settings)))


def _decided(tree: SourceTree, settings: BuildSettings) -> BuildPlan:
    """What is found, replaced by what the owner said."""
    found = _recognise(tree, settings)
    output = _relative("output_dir", settings.output_dir) or found.output_dir
    changed = replace(
        found,
        root_dir=_relative("root_dir", settings.root_dir),
        install=_install(found, settings.install_command),
        build=settings.build_command or found.build,
        run=settings.run_command or found.run,
        output_dir=output,
        health=_health(settings.health_path) or found.health,
    )
    if settings.run_command:
        return replace(changed, kind="dynamic", spa=False)
    if settings.output_dir:
        return replace(changed, kind="static", run="")
    return changed


def _recognise(tree: SourceTree, settings: BuildSettings) -> BuildPlan:
    wanted = settings.framework.strip().lower()
    if wanted not in ("", "auto", *FRAMEWORKS):
        raise FRAMEWORK_UNKNOWN(f"there is no framework {wanted!r}; known are auto, {', '.join(FRAMEWORKS)}")
    recognisers = [FRAMEWORKS[wanted]] if wanted in FRAMEWORKS else FRAMEWORKS.values()
    found = next((found for recogniser in recognisers if (found := recogniser(tree)) is not None), None)
    # HTML beside a program that the owner wants to run is the program's, and says nothing about its language.
    if found is not None and not (settings.run_command and found.framework == "static"):
        return found
    if settings.run_command or settings.output_dir:
        return custom.base(tree, wanted if wanted in FRAMEWORKS else "custom", _implied(wanted))
    top = ", ".join(tree.top()[:20]) or "no files"
    if wanted in FRAMEWORKS:
        raise FRAMEWORK_UNKNOWN(f"this is no {wanted} project that can be built without more words (it has {top})")
    raise FRAMEWORK_UNKNOWN(f"no framework was recognised; looked for {LOOKED_FOR}; the repository has {top}")


def _implied(framework: str) -> Runtime | None:
    """The language that a framework is written in; None when it says nothing of it."""
    runtime = BY_ID[framework].runtime if framework in BY_ID else "none"
    return None if runtime == "none" or framework == "hugo" else runtime


def _install(found: BuildPlan, command: str) -> str:
    if not command:
        return found.install
    # The owner's own command still needs an environment to install into, which is on the PATH from then on.
    return f"{python.VENV} --seed && {command}" if found.runtime == "python" else command


def _relative(name: str, value: str) -> str:
    path = PurePosixPath(value.strip().strip("/") or ".")
    if ".." in path.parts or value.strip().startswith("//") or "\0" in value:
        raise BUILD_PLAN_INVALID(f"{name} {value!r} leaves the repository")
    return "" if str(path) == "." else str(path)


def _health(path: str) -> Health | None:
    """The check of a path that the owner named, which therefore has to succeed; None without one."""
    return Health(path="/" + path.lstrip("/"), strict=True) if path else None
