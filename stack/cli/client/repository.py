"""`shipoff repo`: which repository a project is built from, what its pushes did, and the GitHub App of a team."""

from __future__ import annotations

import re
import sys
from typing import Annotated, Any, Final
from urllib.parse import parse_qs, urlsplit

import typer

from stack.cli.client import link, named, show
from stack.cli.client.api import Api
from stack.cli.client.failures import Exit, Failure, reported
from stack.cli.client.options import Json, Project, Team

Branch = Annotated[str | None, typer.Option("--branch", help="What is deployed to production.")]
RootDir = Annotated[str | None, typer.Option("--root-dir", help="The app's folder in the repository.")]
Watch = Annotated[list[str] | None, typer.Option("--watch", help="A push deploys only if it touches this; repeatable.")]
Previews = Annotated[str | None, typer.Option("--previews", help="all, branches, pull_requests or none.")]
Forks = Annotated[bool | None, typer.Option("--forks/--no-forks", help="Previews for pull requests from forks.")]
TokenStdin = Annotated[bool, typer.Option("--token-stdin", help="Read an access token for cloning from stdin.")]
_HOSTS: Final = {"gitlab.com": "gitlab", "bitbucket.org": "bitbucket", "codeberg.org": "gitea", "gitea.com": "gitea"}
_FULL_NAME: Final = re.compile(r"[\w.-]+/[\w.-]+", re.ASCII)


def register(app: typer.Typer) -> None:
    """Adds the commands below `repo`."""
    app.command("link")(link_repository)
    app.command("show")(show_repository)
    app.command("update")(update_repository)
    app.command("unlink")(unlink_repository)
    app.command("deliveries")(list_deliveries)
    app.command("redeliver")(redeliver)
    app.command("install")(install_app)
    app.command("claim")(claim_installation)
    app.command("installations")(list_installations)


@reported
def link_repository(
    repository: Annotated[str, typer.Argument(help="https://host/owner/name.git; for GitHub owner/name.")],
    provider: Annotated[str, typer.Option(help="github, gitlab, gitea, bitbucket or git; default: by its host.")] = "",
    installation: Annotated[int, typer.Option(help="Of the GitHub App; default: the one of that owner.")] = 0,
    branch: Branch = None,
    root_dir: RootDir = None,
    watch: Watch = None,
    previews: Previews = None,
    forks: Forks = None,
    token_stdin: TokenStdin = False,
    project: Project = None,
    as_json: Json = False,
) -> None:
    """Links a project to a repository, in place of the one that it has: each push is deployed from then on."""
    api, name = Api(), link.project(project)
    body = _settings(branch, root_dir, watch, previews, forks, token_stdin)
    kind = provider or _provider_of(repository)
    if kind == "github":
        full_name = _github_name(repository)
        chosen = installation or _installation_of(api, name, full_name)
        body |= {"provider": kind, "repository": full_name, "installation_id": chosen}
    else:
        body |= {"provider": kind, "clone_url": repository}
    made = api.put("projects", name, "repository", body=body)
    if as_json:
        show.as_json(made)
        return
    print(f"{name} is built from {made['link']['repository']}; pushes to {made['link']['production_branch']} go live")
    if made["webhook_secret"]:
        print("in the repository's settings, add a webhook for pushes and pull requests (JSON):")
        print(f"  URL     {made['link']['webhook_url']}")
        print(f"  secret  {made['webhook_secret']}   (shown this once)")


@reported
def show_repository(project: Project = None, as_json: Json = False) -> None:
    """Shows what a project is linked to."""
    found = Api().get("projects", link.project(project), "repository")
    if as_json:
        show.as_json(found)
        return
    state = found["state"] if not found["reason"] else f"{found['state']}: {found['reason']}"
    rows = [
        ["repository", f"{found['repository']} ({found['provider']})"],
        ["state", state],
        ["clone URL", found["clone_url"]],
        ["production", found["production_branch"]],
        ["root folder", found["root_dir"] or "the repository's"],
        ["watches", ", ".join(found["watch_paths"]) or "everything"],
        ["previews", found["previews"] + (", forks too" if found["fork_previews"] else "")],
        ["access token", "there is one" if found["has_access_token"] else "none"],
        ["webhook", found["webhook_url"]],
    ]
    show.table(["", ""], rows, "")


@reported
def update_repository(
    branch: Branch = None,
    root_dir: RootDir = None,
    watch: Watch = None,
    previews: Previews = None,
    forks: Forks = None,
    token_stdin: TokenStdin = False,
    project: Project = None,
    as_json: Json = False,
) -> None:
    """Changes a link; what is not named stays. `--watch ''` watches everything again."""
    body = _settings(branch, root_dir, watch, previews, forks, token_stdin)
    if not body:
        raise Failure("NOTHING_TO_CHANGE", "no change was named", "shipoff repo update --help", Exit.USAGE)
    changed = Api().patch("projects", link.project(project), "repository", body=body)
    if as_json:
        show.as_json(changed)
        return
    print(f"{', '.join(sorted(body))}: changed")


@reported
def unlink_repository(project: Project = None) -> None:
    """Unlinks a project; what was deployed serves on."""
    name = link.project(project)
    Api().delete("projects", name, "repository")
    print(f"{name} has no repository any more")


@reported
def list_deliveries(
    limit: Annotated[int, typer.Option(min=1, max=100, help="How many.")] = 20,
    project: Project = None,
    as_json: Json = False,
) -> None:
    """Shows the webhooks that came and what they did, newest first."""
    found = Api().get("projects", link.project(project), "repository", "deliveries", limit=limit)
    if as_json:
        show.as_json(found)
        return
    rows = [
        [one["id"], one["event"], one["state"], _did(one), show.ago(one["received_at"])] for one in found["deliveries"]
    ]
    show.table(["DELIVERY", "EVENT", "STATE", "DID", "CAME"], rows, "nothing came yet: push, or check the webhook")


@reported
def redeliver(
    delivery: Annotated[str, typer.Argument(help="Its id (dlv_…).")], project: Project = None, as_json: Json = False
) -> None:
    """Has a webhook that is over done again, for this project."""
    made = Api().post("projects", link.project(project), "repository", "deliveries", delivery, "redeliver", body={})
    if as_json:
        show.as_json(made)
        return
    print(f"{made['id']} is {made['state']}: shipoff repo deliveries")


@reported
def install_app(team: Team = "", as_json: Json = False) -> None:
    """Begins to install the GitHub App for a team; GitHub's page says how it ends."""
    api = Api()
    begun = api.post("teams", named.team_id(api, team), "installations", body={})
    if as_json:
        show.as_json(begun)
        return
    print("open this as somebody who administers the GitHub account, and come back with the last page's address:")
    print(f"  {begun['url']}")
    print("then: shipoff repo claim 'ADDRESS'")


@reported
def claim_installation(
    address: Annotated[str, typer.Argument(help="Of the page that GitHub led to; `-` reads it from stdin.")],
    as_json: Json = False,
) -> None:
    """Ends what `repo install` began: the installation is the team's."""
    given = sys.stdin.readline().strip() if address == "-" else address
    said = {name: values[-1] for name, values in parse_qs(urlsplit(given).query).items()}
    missing = [name for name in ("installation_id", "code", "state") if not said.get(name)]
    if missing:
        hint = "copy the whole address of the page, with everything behind the ?"
        raise Failure("ADDRESS_INVALID", f"the address has no {', '.join(missing)}", hint, Exit.USAGE)
    made = Api().get("github", "setup", **{name: said[name] for name in ("installation_id", "code", "state")})
    if as_json:
        show.as_json(made)
        return
    print(f"the GitHub App in {made['login']} is the team's: shipoff repo link {made['login']}/REPOSITORY")


@reported
def list_installations(team: Team = "", as_json: Json = False) -> None:
    """Lists the GitHub installations that a team has claimed."""
    api = Api()
    found = api.get("teams", named.team_id(api, team), "installations")
    if as_json:
        show.as_json(found)
        return
    rows = [
        [str(one["id"]), one["login"], one["account_type"], "suspended" if one["suspended"] else "active"]
        for one in found["installations"]
    ]
    show.table(["INSTALLATION", "ACCOUNT", "TYPE", "STATE"], rows, "none yet: shipoff repo install")


def _settings(
    branch: str | None,
    root_dir: str | None,
    watch: list[str] | None,
    previews: str | None,
    forks: bool | None,
    token_stdin: bool,
) -> dict[str, Any]:
    wanted = {
        "production_branch": branch,
        "root_dir": root_dir,
        "watch_paths": None if watch is None else [one for one in watch if one],
        "previews": previews,
        "fork_previews": forks,
        # Never an argument: those are seen in the list of processes, and kept in the shell's history.
        "access_token": sys.stdin.readline().strip() if token_stdin else None,
    }
    return {name: value for name, value in wanted.items() if value is not None}


def _provider_of(repository: str) -> str:
    host = urlsplit(repository).hostname or ""
    if host == "github.com" or (not host and _FULL_NAME.fullmatch(repository)):
        return "github"
    return _HOSTS.get(host, "git")


def _github_name(repository: str) -> str:
    name = urlsplit(repository).path.strip("/").removesuffix(".git")
    if not _FULL_NAME.fullmatch(name):
        raise Failure("REPOSITORY_INVALID", f"{repository!r} is no repository", "write owner/name", Exit.USAGE)
    return name


def _installation_of(api: Api, project: str, full_name: str) -> int:
    """The installation in the account that owns the repository."""
    team, owner = api.get("projects", project)["team_id"], full_name.partition("/")[0].lower()
    found = api.get("teams", team, "installations")["installations"]
    for one in found:
        if one["login"].lower() == owner:
            return int(one["id"])
    hint = f"shipoff repo install --team {team}"
    raise Failure("NOT_INSTALLED", f"the team has no GitHub App in {owner}", hint, Exit.NOT_FOUND)


def _did(delivery: dict[str, Any]) -> str:
    if delivery["error"]:
        return str(delivery["error"])
    done = [
        " ".join(filter(None, (one["action"], one["environment"], one["deployment_id"], one["reason"])))
        for one in delivery["outcomes"]
    ]
    return "; ".join(done)
