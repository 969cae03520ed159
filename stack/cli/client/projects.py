"""`shipoff projects update | transfer`: changes of a project that is there."""

from __future__ import annotations

from typing import Annotated

import typer

from stack.cli.client import named, show
from stack.cli.client.api import Api
from stack.cli.client.failures import Exit, Failure, reported
from stack.cli.client.options import Json

Text = str | None


@reported
def update_project(
    project: Annotated[str, typer.Argument(help="Project.")],
    name: Annotated[Text, typer.Option(help="A new name; only before anything is deployed.")] = None,
    framework: Annotated[Text, typer.Option(help="auto, or an id of shipoff frameworks.")] = None,
    root_dir: Annotated[Text, typer.Option(help="The app's folder in the repository.")] = None,
    install: Annotated[Text, typer.Option(help="Install command.")] = None,
    build: Annotated[Text, typer.Option(help="Build command.")] = None,
    run: Annotated[Text, typer.Option(help="Run command; the app listens on $PORT.")] = None,
    output: Annotated[Text, typer.Option(help="Folder of static output.")] = None,
    health: Annotated[Text, typer.Option(help="Path of the health check.")] = None,
    branch: Annotated[Text, typer.Option(help="Production branch.")] = None,
    expect_version: Annotated[int, typer.Option(min=0, help="Refuse if the project has another version by now.")] = 0,
    as_json: Json = False,
) -> None:
    """Changes settings; "" lets one be detected again. The next build goes by them."""
    said = {
        "name": name,
        "framework": framework,
        "root_dir": root_dir,
        "install_command": install,
        "build_command": build,
        "run_command": run,
        "output_dir": output,
        "health_path": health,
        "production_branch": branch,
    }
    body: dict[str, object] = {field: value for field, value in said.items() if value is not None}
    if not body:
        raise Failure("NOTHING_TO_CHANGE", "no setting was named", "shipoff projects update --help", Exit.USAGE)
    changed = Api().patch("projects", project, body={**body, "expect_version": expect_version})
    if as_json:
        show.as_json(changed)
        return
    print(f"{changed['name']} has {', '.join(sorted(body))} changed; the next build goes by it: shipoff deploy")


@reported
def transfer_project(
    project: Annotated[str, typer.Argument(help="Project.")],
    team: Annotated[str, typer.Argument(help="Slug or id of one in which you may make projects.")],
    as_json: Json = False,
) -> None:
    """Gives a project to another team; what runs goes on."""
    api = Api()
    moved = api.post("projects", project, "transfer", body={"team": named.team_id(api, team)})
    if as_json:
        show.as_json(moved)
        return
    print(f"{moved['name']} is {moved['team_id']}'s")
