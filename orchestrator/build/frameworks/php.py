"""PHP, served by its own server with a few workers."""

from __future__ import annotations

from orchestrator.build.plan import BuildPlan
from orchestrator.build.tree import SourceTree


def is_php(tree: SourceTree) -> bool:
    """Whether this is a PHP project."""
    return tree.has("index.php", "public/index.php", "web/index.php", "composer.json")


def install(tree: SourceTree) -> str:
    """Composer, when there is something that it must do: packages, or an autoloader."""
    composer = tree.json("composer.json")
    packages = [name for name in composer.get("require", {}) if name != "php" and not name.startswith(("ext-", "lib-"))]
    if not packages and "autoload" not in composer:
        return ""
    return "composer install --no-dev --no-progress --prefer-dist --optimize-autoloader"


def php(tree: SourceTree) -> BuildPlan | None:
    """The folder with index.php is the document root."""
    if not is_php(tree):
        return None
    for folder in ("public", "web", ""):
        if (f"{folder}/" if folder else "") + "index.php" in tree.files:
            run = f'php -S "0.0.0.0:$PORT" -t {folder or "."}'
            return BuildPlan("php", "dynamic", "php", install=install(tree), run=f"exec {run}")
    return None
