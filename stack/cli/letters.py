"""The operator's look at dead letters: events that a consumer gave up on (`shipoff dead-letters …`)."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stack.environment import default_directory

if TYPE_CHECKING:
    from kernel.streams.dead import DeadLetter

Dir = Annotated[Path | None, typer.Option("--dir", help="State directory of the stack.", show_default="per user")]
Ids = Annotated[list[str] | None, typer.Argument(help="Which, as `list` shows them; none: all.", show_default="all")]


def register(app: typer.Typer) -> None:
    """Adds the commands to the application."""
    group = typer.Typer(no_args_is_help=True, help="Events that a consumer gave up on.")
    group.command("list")(show)
    group.command("replay")(replay)
    group.command("drop")(drop)
    app.add_typer(group, name="dead-letters")


def show(
    directory: Dir = None, as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False
) -> None:
    """List dead letters with the error that each ended with."""
    found = asyncio.run(_each(directory, None, ""))
    for letter in found:
        event = letter.event.decode(errors="replace")
        if as_json:
            print(json.dumps({"id": letter.id, "stream": letter.stream, "group": letter.group,
                              "error": letter.error, "event": event}))  # fmt: skip
        else:
            print(f"{letter.stream}/{letter.id}  {letter.group}: {letter.error}\n    {event}")
    if not found and not as_json:
        print("no dead letters")


def replay(ids: Ids = None, directory: Dir = None) -> None:
    """Append dead letters to their streams again."""
    print(f"{len(asyncio.run(_each(directory, ids, 'replay')))} replayed")


def drop(
    ids: Ids = None,
    directory: Dir = None,
    everything: Annotated[bool, typer.Option("--all", help="Really all of them.")] = False,
) -> None:
    """Remove dead letters for good."""
    if not ids and not everything:
        raise typer.BadParameter("name the letters to drop, or say --all")
    print(f"{len(asyncio.run(_each(directory, ids, 'drop')))} dropped")


async def _each(directory: Path | None, ids: list[str] | None, action: str) -> list[DeadLetter]:
    from kernel.streams import connect, dead
    from stack.state import State
    from stack.status import redis_url

    redis = connect(redis_url(State(directory or default_directory())))
    try:
        found = [letter async for letter in dead.dead_letters(redis)]
        chosen = [letter for letter in found if not ids or letter.id in ids or f"{letter.stream}/{letter.id}" in ids]
        for letter in chosen:
            if action:
                await (dead.replay if action == "replay" else dead.drop)(redis, letter)
        return chosen
    finally:
        await redis.aclose()
