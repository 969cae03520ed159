"""Pages of docs/ that are made of the code, or must keep up with it."""

from __future__ import annotations

import ast
import re
import runpy
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[3]
ACTION = re.compile(r"[a-z_]+\.[a-z_]+")
RECORDERS = {"record", "_record", "note", "_changed"}


def recorded() -> Iterator[tuple[str, str]]:
    """Each action that is named in a call that records it, and where."""
    for source in (ROOT / "control").rglob("*.py"):
        for node in ast.walk(ast.parse(source.read_text())):
            if isinstance(node, ast.Call) and _name(node.func) in RECORDERS:
                for inner in (one for argument in node.args for one in ast.walk(argument)):
                    if isinstance(inner, ast.Constant) and ACTION.fullmatch(str(inner.value)):
                        yield str(inner.value), source.name


def _name(function: ast.expr) -> str:
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def test_the_table_of_roles_is_fresh() -> None:
    made = runpy.run_path(str(ROOT / ".ci/roles.py"))
    page = (ROOT / "docs/roles.md").read_text()
    assert page == made["page"]()
    assert page.count("| yes") > 100


def test_the_page_of_the_audit_log_names_every_action() -> None:
    page, found = (ROOT / "docs/audit.md").read_text(), set(recorded())
    assert len(found) > 30
    assert not [one for one in sorted(found) if f"`{one[0]}`" not in page]
