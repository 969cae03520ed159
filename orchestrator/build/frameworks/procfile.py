"""A Procfile with a `web` process says how to run; the rest is found as usual."""

from __future__ import annotations

import re
from dataclasses import replace

from orchestrator.build.frameworks import custom
from orchestrator.build.plan import BuildPlan
from orchestrator.build.tree import SourceTree


def procfile(tree: SourceTree) -> BuildPlan | None:
    """`web: <command>`."""
    match = re.search(r"^web:[ \t]*(\S.*)$", tree.text("Procfile"), re.MULTILINE)
    return None if match is None else replace(custom.base(tree, "procfile"), run=match[1].strip())
