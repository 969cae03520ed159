"""The command line, the API's reference, the hints of errors and the documents speak of one and the same thing."""

from __future__ import annotations

import ast
import re
import runpy
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from control.gateway.openapi.document import document
from control.gateway.openapi.page import render
from control.gateway.routes import ROUTES
from kernel.errors import KINDS
from stack.cli.main import build

ROOT = Path(__file__).parents[4]
REFERENCE = document(ROUTES, "http://127.0.0.1:8000")
METHODS = {
    "get": "get",
    "lines": "get",
    "post": "post",
    "send": "post",
    "put": "put",
    "patch": "patch",
    "delete": "delete",
}
OPERATIONS = {(method, tuple(path.split("/")[2:])) for path, item in REFERENCE["paths"].items() for method in item}
PAGES = [ROOT / "README.md", ROOT / "ARCHITECTURE.md", *sorted((ROOT / "docs").glob("*.md"))]
NAMED = re.compile(r"`shipoff ((?:[a-z][a-z-]*)(?: [a-z][a-z-]*)*)")
HINTED = re.compile(r"shipoff ([a-z][a-z-]*(?: [a-z][a-z-]*)?)")
ADDRESS = re.compile(r"/v1/[A-Za-z0-9_{}/.-]*[A-Za-z0-9_}]")


def called(source: Path) -> Iterator[tuple[str, tuple[str, ...], int]]:
    """Method, path and line of each call that a module of the command line makes of the API."""
    for node in ast.walk(ast.parse(source.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in METHODS:
            holder = node.func.value
            name = holder.id if isinstance(holder, ast.Name) else holder.func if isinstance(holder, ast.Call) else None
            if name == "api" or (isinstance(name, ast.Name) and name.id == "Api"):
                yield METHODS[node.func.attr], tuple(map(segment, node.args)), node.lineno


def segment(argument: ast.expr) -> str:
    """A part of a path: what it says, `{}` for something, `*` for some parts."""
    if isinstance(argument, ast.Starred):
        return "*"
    return str(argument.value) if isinstance(argument, ast.Constant) else "{}"


def fits(given: tuple[str, ...], wanted: tuple[str, ...]) -> bool:
    """Whether a path, in which `{}` is something and `*` some parts, is one of the reference's."""
    if given[:1] == ("*",):
        return any(fits(given[1:], wanted[skipped:]) for skipped in range(1, len(wanted) + 1))
    return len(given) == len(wanted) and all(
        theirs.startswith("{") or ours in (theirs, "{}") for ours, theirs in zip(given, wanted, strict=True)
    )


def commands(inner: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name, one in getattr(inner, "commands", {}).items():
        yield (*path, name)
        yield from commands(one, (*path, name))


def known() -> set[tuple[str, ...]]:
    import typer

    return set(commands(typer.main.get_command(build())))


def test_the_command_line_calls_what_the_reference_has() -> None:
    seen = 0
    for source in sorted((ROOT / "stack/cli/client").glob("*.py")):
        for method, path, line in called(source):
            seen += 1
            if not any(method == one and fits(path, wanted) for one, wanted in OPERATIONS):
                raise AssertionError(
                    f"{source.name}:{line}: {method.upper()} /v1/{'/'.join(path)} is not in the reference"
                )
    assert seen >= 40


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_document_names_commands_and_addresses_that_exist(page: Path) -> None:
    text, there = page.read_text(), known()
    for said in NAMED.findall(text):
        words = tuple(said.split())
        assert words[:1] in there, f"shipoff {said}"
        if any(len(one) == 2 and one[0] == words[0] for one in there) and len(words) > 1:
            assert words[:2] in there, f"shipoff {said}"
    for address in ADDRESS.findall(text):
        path = tuple(address.split("/")[2:])
        assert any(fits(path, wanted[: len(path)]) for _, wanted in OPERATIONS), address


def test_hints_name_commands_that_exist() -> None:
    runpy.run_path(str(ROOT / ".ci/error_codes.py"))["declared"]()  # imports every module that declares codes
    there = known()
    groups = {one[0] for one in there if len(one) == 2}
    for kind in KINDS.values():
        for said in HINTED.findall(kind.hint):
            words = tuple(said.split())
            assert words[:1] in there, (kind.code, said)
            if words[0] in groups and len(words) > 1:
                assert words[:2] in there, (kind.code, said)


def test_the_reference_page_shows_every_operation() -> None:
    page = unescape(re.sub(r"<[^>]+>", "", render(REFERENCE)))
    for path, item in REFERENCE["paths"].items():
        for method, operation in item.items():
            assert path in page
            assert operation["summary"].replace("`", "") in page, (method, path)
