"""`shipoff plan`: what a deployment of a folder would build and run, without building or a platform."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Adds the command to the application."""
    app.command("plan")(plan)


def plan(
    folder: Annotated[Path, typer.Argument(help="A source tree.", file_okay=False, exists=True)] = Path(),
    root_dir: Annotated[str, typer.Option(help="The app's folder in it.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="The whole plan, for programs.")] = False,
) -> None:
    """Shows what is found in a folder and its shipoff.toml, and checks the latter.

    Settings of a project on the platform are not asked for; they come between the two (docs/shipoff-toml.md).
    """
    from orchestrator.build.describe import describe
    from orchestrator.build.detect import detect
    from orchestrator.build.plan import BuildSettings

    found = detect(folder, BuildSettings(root_dir=root_dir))
    print(json.dumps(found.to_json(), indent=1) if as_json else "\n".join(describe(found)))
