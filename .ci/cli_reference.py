"""Writes docs/cli.md: every command of `shipoff`, from the commands themselves. `--check` only compares."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from stack.cli.client.failures import Exit
from stack.cli.main import build

PAGE = Path(__file__).parents[1] / "docs" / "cli.md"
HEAD = """# The `shipoff` command

Made by `.ci/cli_reference.py` from the commands; `make check` fails when it is stale. `shipoff COMMAND --help` says the
same. `shipoff --install-completion` lets your shell complete it.

Exit statuses of the developer's commands, so that scripts can tell failures apart:

| status | meaning |
| --- | --- |
"""
MEANINGS = {
    Exit.OK: "done",
    Exit.FAILED: "the deployment failed, or something that has no status of its own",
    Exit.USAGE: "the command line, or a value in it, is wrong",
    Exit.AUTH: "not logged in, or the token may not",
    Exit.NOT_FOUND: "the project, or what was asked of it, does not exist",
    Exit.UNREACHABLE: "the platform does not answer",
}


def commands(command: Any, path: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    """Every command that does something, by its whole name."""
    inner = getattr(command, "commands", None)
    if inner is None:
        yield " ".join(path), command
        return
    for name, one in inner.items():
        if not one.hidden:
            yield from commands(one, (*path, name))


def section(name: str, command: Any) -> str:
    """One command's part of the page."""
    context = command.make_context(name, [], resilient_parsing=True)
    usage = " ".join(command.collect_usage_pieces(context))
    rows = [row for one in command.params if (row := _row(one))]
    table = "".join(["| | |\n| --- | --- |\n", *rows, "\n"]) if rows else ""
    return f"## `{name}`\n\n{_prose(command.help or '')}\n\n    {name} {usage}\n\n{table}"


def _row(parameter: Any) -> str:
    said = str(getattr(parameter, "help", "") or "")
    names = ", ".join(f"`{one}`" for one in (*parameter.opts, *parameter.secondary_opts))
    if getattr(parameter, "hidden", False) or "--help" in parameter.opts:
        return ""
    shown = f"`{parameter.name.upper()}`" if parameter.param_type_name == "argument" else names
    return f"| {shown} | {_prose(said)} |\n"


def _prose(text: str) -> str:
    return text.strip().replace("|", "\\|").replace("    ", "")


def page() -> str:
    """The whole file."""
    statuses = "".join(f"| {status.value} | {MEANINGS[status]} |\n" for status in Exit)
    found = sorted(commands(typer.main.get_command(build()), ("shipoff",)))
    parts = [section(name, command) for name, command in found]
    return HEAD + statuses + "\n" + "".join(parts).rstrip() + "\n"


def main() -> None:
    """Writes the page, or compares it."""
    if "--check" not in sys.argv:
        PAGE.write_text(page())
    elif not PAGE.exists() or PAGE.read_text() != page():
        sys.exit("docs/cli.md is stale: run PYTHONPATH=. .venv/bin/python .ci/cli_reference.py")


if __name__ == "__main__":
    main()
