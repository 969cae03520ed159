"""Options that many commands have, said once."""

from __future__ import annotations

from typing import Annotated

import typer

Project = Annotated[str | None, typer.Option("--project", "-p", help="Default: what this folder is linked to.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Team = Annotated[str, typer.Option("--team", "-t", help="Its slug or id; default: your personal team.")]
