"""The `shipoff` command: one Typer application, put together from modules that each register their own commands.

Why modules register themselves: a developer's commands (`stack/cli/remote.py`, plain REST calls) must start fast and
work where the one-machine platform is not installed, so nothing here imports what a command does not use. A command
module keeps its top-level imports light, imports the rest inside its functions, and offers `register(app)`.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from typing import Final

import typer

from kernel.errors import ShipoffError

MODULES: Final = ("stack.cli.operate", "stack.cli.letters", "stack.cli.plan", "stack.cli.remote")


def build() -> typer.Typer:
    """Makes the application with every command that is installed."""
    app = typer.Typer(
        name="shipoff",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
    )
    app.callback()(_shipoff)
    for name in MODULES:
        if importlib.util.find_spec(name) is not None:
            importlib.import_module(name).register(app)
    return app


def _shipoff() -> None:
    """Push code, serve it: the Shipoff platform and its client."""


def main() -> None:
    """Runs the command line; an error of the platform becomes two readable lines and exit code 1."""
    try:
        build()()
    except ShipoffError as error:
        print(f"error: {error.detail} [{error.code}]", file=sys.stderr)
        if error.hint:
            print(f"hint: {error.hint}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
