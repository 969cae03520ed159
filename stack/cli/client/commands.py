"""The developer's commands, except for those that move code (deploy.py) and env vars (env.py)."""

from __future__ import annotations

import json
import sys
import time
from typing import Annotated, Any, Final

import typer

from stack.cli.client import access, link, named, session, show
from stack.cli.client.api import Api
from stack.cli.client.failures import Exit, Failure, reported
from stack.cli.client.options import Json, Team

Project = Annotated[str | None, typer.Argument(help="Name; default: what this folder is linked to.")]
RECONNECT_S: Final = 60.0  # how long `logs -f` tries to go on after the platform was lost


@reported
def create_project(
    name: Annotated[str, typer.Argument(help="1 to 40 lower-case letters, digits, hyphens.")],
    framework: Annotated[str, typer.Option(help="auto, or an id of shipoff frameworks.")] = "auto",
    root_dir: Annotated[str, typer.Option(help="The app's folder in the repository.")] = "",
    install: Annotated[str, typer.Option(help="Install command.")] = "",
    build: Annotated[str, typer.Option(help="Build command.")] = "",
    run: Annotated[str, typer.Option(help="Run command; the app listens on $PORT.")] = "",
    output: Annotated[str, typer.Option(help="Folder of static output.")] = "",
    health: Annotated[str, typer.Option(help="Path of the health check.")] = "",
    branch: Annotated[str, typer.Option(help="Production branch.")] = "",
    team: Team = "",
    as_json: Json = False,
) -> None:
    """Makes a project; what is left out is detected."""
    api = Api()
    body = {
        "name": name,
        "framework": framework,
        "root_dir": root_dir,
        "install_command": install,
        "build_command": build,
        "run_command": run,
        "output_dir": output,
        "health_path": health,
        "production_branch": branch,
        **({"team": named.team_id(api, team)} if team else {}),
    }
    made = api.post("projects", body=body)
    if as_json:
        show.as_json(made)
        return
    print(f"project {made['name']} is there")
    print(f"deploy this folder:  shipoff deploy --project {made['name']}")
    print(f"or push with git:    git push {api.git_url(name)} {made['production_branch']}")


@reported
def list_projects(as_json: Json = False) -> None:
    """Lists your projects."""
    found = {"projects": Api().all("projects")}
    if as_json:
        show.as_json(found)
        return
    rows = [
        [one["name"], one["framework"], one["url"] or "not live", show.ago(one["created_at"])]
        for one in found["projects"]
    ]
    show.table(["NAME", "FRAMEWORK", "URL", "CREATED"], rows, "no projects yet: shipoff projects create NAME")


@reported
def delete_project(
    name: Annotated[str, typer.Argument(help="Project.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Deletes a project with all that it runs, serves and keeps, its repository included."""
    api = Api()
    api.get("projects", name)
    if not yes and typer.prompt(f"its name again, to delete {name} for good") != name:
        raise Failure("NOT_DELETED", "that is another name; nothing was deleted", status=Exit.USAGE)
    api.delete("projects", name)
    print(f"{name} is deleted")


@reported
def git_credential(action: Annotated[str, typer.Argument()]) -> None:
    """Answers git (gitcredentials(7)) for the platform that we are logged in to, and for no other."""
    asked = dict(line.split("=", 1) for line in sys.stdin.read().splitlines() if "=" in line)
    who = session.current()
    if action == "get" and f"{asked.get('protocol')}://{asked.get('host')}" == who.url:
        print(f"username=shipoff\npassword={who.token}")


@reported
def deployments(
    project: Project = None,
    limit: Annotated[int, typer.Option(min=1, max=100, help="How many.")] = 20,
    environment: Annotated[str, typer.Option("--environment", "-e", help="Only of this one.")] = "",
    state: Annotated[str, typer.Option(help="Only in these, e.g. live,failed.")] = "",
    kind: Annotated[str, typer.Option(help="Only of these: build, rollback, promote, config.")] = "",
    before: Annotated[str, typer.Option(help="dep_…; only older ones.")] = "",
    as_json: Json = False,
) -> None:
    """Lists a project's deployments, newest first."""
    query = {"limit": limit, "environment": environment, "state": state, "kind": kind, "before": before}
    found = Api().get("projects", link.project(project), "deployments", **query)
    if as_json:
        show.as_json(found)
        return
    show.table(
        ["DEPLOYMENT", "ENVIRONMENT", "KIND", "STATE", "COMMIT", "MESSAGE", "AGE"],
        [
            [
                one["id"],
                one["environment"],
                "redeploy" if one["redeploy_of"] else one["kind"],
                _state(one),
                one["commit"][:10],
                one["message"],
                show.ago(one["created_at"]),
            ]
            for one in found["deployments"]
        ],
        "no deployments yet: shipoff deploy",
    )


def _state(deployment: dict[str, Any]) -> str:
    failure = deployment["failure"]
    return f"FAILED {failure['reason']} ({failure['stage']})" if failure else str(deployment["state"])


@reported
def logs(
    project: Project = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what comes.")] = False,
    tail: Annotated[int, typer.Option("--tail", "-n", min=1, max=10_000, help="Begin with so many lines.")] = 200,
    source: Annotated[str, typer.Option(help="build or run; default: both.")] = "",
    deployment: Annotated[str, typer.Option(help="Only of this deployment.")] = "",
    requests: Annotated[bool, typer.Option("--requests", help="The requests that the router answered.")] = False,
    status: Annotated[str, typer.Option(help="Only requests of these classes, e.g. 5xx or 4,5.")] = "",
    as_json: Json = False,
) -> None:
    """Shows a project's log lines, or with --requests what the router answered; oldest first."""
    api, name = Api(), link.project(project)
    if requests or status:
        access.show_requests(api, name, status, tail, follow=follow, as_json=as_json)
        return
    query: dict[str, object] = {"follow": int(follow), "tail": tail, "source": source, "deployment": deployment}
    lost_at = 0.0
    while True:
        try:
            for line in api.lines("projects", name, "logs", **query):
                if "error" in line:
                    raise Failure(line["error"]["code"], line["error"]["detail"], "try again", Exit.UNREACHABLE)
                query["after"], lost_at = line["offset"], 0.0
                print(json.dumps(line) if as_json else _shown(line), flush=True)
            if not follow:
                return
        except Failure as failure:
            lost_at = lost_at or time.monotonic()
            if not follow or failure.status is not Exit.UNREACHABLE or time.monotonic() - lost_at > RECONNECT_S:
                raise
        time.sleep(1.0)


def _shown(line: dict[str, Any]) -> str:
    where = (line["instance_id"] or line["source"])[-8:]
    return f"{line['at'][11:23]} {where:>8} {line['text']}"


@reported
def open_project(
    project: Project = None,
    only_print: Annotated[bool, typer.Option("--print", help="Only print the address.")] = False,
) -> None:
    """Opens a project's address in the browser."""
    found = Api().get("projects", link.project(project))
    if not found["url"]:
        raise Failure("NOT_LIVE", f"{found['name']} is not live yet", "shipoff deploy", Exit.NOT_FOUND)
    print(found["url"])
    if not only_print and sys.stdout.isatty():
        import webbrowser

        webbrowser.open(found["url"])
