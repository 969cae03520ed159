"""The first message of a command's WebSocket."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from control.gateway.models.base import Body, Short


class Shell(Body):
    """What to run.

    Attributes:
        command: its arguments, the program first.
        environment: where.
        process: in an instance of which.
        instance: ins_…, or the end of one; empty is any that is ready.
        tty: whether it gets a terminal.
        rows: of the terminal.
        cols: of the terminal.
        term: what kind of terminal.
    """

    command: list[str] = Field(min_length=1, max_length=1000)
    environment: Short = "production"
    process: Short = "web"
    instance: Short = ""
    tty: bool = False
    rows: Annotated[int, Field(ge=1, le=1000)] = 24
    cols: Annotated[int, Field(ge=1, le=1000)] = 80
    term: Annotated[str, Field(max_length=64)] = "xterm"
