"""Plain files."""

from __future__ import annotations

from orchestrator.build.plan import BuildPlan
from orchestrator.build.tree import SourceTree


def static(tree: SourceTree) -> BuildPlan | None:
    """HTML at the root, or in a folder that is customary for finished sites."""
    for folder in ("", "public/", "dist/", "build/", "site/", "_site/", "www/", "docs/"):
        if f"{folder}index.html" in tree.files:
            return BuildPlan("static", "static", output_dir=folder.rstrip("/"))
    if any(name.endswith(".html") and "/" not in name for name in tree.files):
        return BuildPlan("static", "static")
    return None
