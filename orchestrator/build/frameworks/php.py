"""PHP, served by its own server with a few workers: Laravel, Lumen, Symfony, and any index.php."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from kernel.frameworks import BY_ID
from orchestrator.build.frameworks import node
from orchestrator.build.frameworks.preset import preset
from orchestrator.build.plan import BuildPlan
from orchestrator.build.tree import SourceTree

_LOGS_TO_US: Final = {"APP_ENV": "production", "LOG_CHANNEL": "stderr"}


def is_php(tree: SourceTree) -> bool:
    """Whether this is a PHP project."""
    return tree.has("index.php", "public/index.php", "web/index.php", "composer.json")


def install(tree: SourceTree) -> str:
    """Composer, when there is something that it must do: packages, or an autoloader."""
    composer = tree.json("composer.json")
    packages = [name for name in _required(tree) if name != "php" and not name.startswith(("ext-", "lib-"))]
    if not packages and "autoload" not in composer:
        return ""
    return "composer install --no-dev --no-progress --prefer-dist --optimize-autoloader"


def laravel(tree: SourceTree) -> BuildPlan | None:
    """Laravel; the pages' assets are built when package.json has a script for it."""
    found = _front_controller(tree, "laravel")
    return replace(found, run_env=_LOGS_TO_US) if found else None


def lumen(tree: SourceTree) -> BuildPlan | None:
    """Lumen."""
    found = _front_controller(tree, "lumen")
    return replace(found, run_env=_LOGS_TO_US) if found else None


def symfony(tree: SourceTree) -> BuildPlan | None:
    """Symfony; Composer's scripts warm its cache, so the build must know the environment too."""
    found = _front_controller(tree, "symfony")
    production = {"APP_ENV": "prod", "APP_DEBUG": "0"}
    return replace(found, build_env=production, run_env=production) if found else None


def php(tree: SourceTree) -> BuildPlan | None:
    """The folder with index.php is the document root."""
    if not is_php(tree):
        return None
    for folder in ("public", "web", ""):
        if (f"{folder}/" if folder else "") + "index.php" in tree.files:
            run = f'php -S "0.0.0.0:$PORT" -t {folder or "."}'
            return BuildPlan("php", "dynamic", "php", install=install(tree), run=f"exec {run}")
    return None


def _front_controller(tree: SourceTree, framework: str) -> BuildPlan | None:
    if BY_ID[framework].packages[0] not in _required(tree) or not tree.has("public/index.php"):
        return None
    assets = node.script(tree.json("package.json"), "build")
    build = f"{node.install(tree)} && {assets}" if assets else ""
    return replace(preset(framework), install=install(tree), build=build)


def _required(tree: SourceTree) -> dict[str, object]:
    found = tree.json("composer.json").get("require")
    return found if isinstance(found, dict) else {}
