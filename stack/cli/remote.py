"""Registers the developer's commands: a client of any platform, here or far away."""

from __future__ import annotations

import typer

from stack.cli.client import (
    audit,
    canary,
    cancel,
    commands,
    deploy,
    domains,
    env,
    environments,
    explain,
    folder,
    hooks,
    limits,
    login,
    members,
    previews,
    processes,
    releases,
    repository,
    rules,
    shell,
    teams,
    tokens,
    whoami,
)
from stack.cli.client import projects as changes


def register(app: typer.Typer) -> None:
    """Adds all of them."""
    app.command("whoami")(whoami.whoami)
    app.command("join")(members.join)
    app.command("audit")(audit.audit)
    app.command("login")(login.login)
    app.command("logout")(login.logout)
    app.command("frameworks")(environments.frameworks)
    app.command("init")(folder.init)
    app.command("link")(folder.link_folder)
    app.command("deploy")(deploy.deploy)
    app.command("deployments")(commands.deployments)
    app.command("cancel")(cancel.cancel)
    app.command("releases")(releases.list_releases)
    app.command("rollback")(releases.rollback)
    app.command("promote")(releases.promote)
    app.command("redeploy")(releases.redeploy)
    app.command("environments")(environments.environments)
    app.command("ps")(processes.processes)
    app.command("scale")(processes.scale)
    app.command("restart")(processes.restart)
    app.command("exec")(shell.exec_)
    app.command("cron")(processes.crons)
    app.command("logs")(commands.logs)
    app.command("explain")(explain.explain)
    app.command("limits")(limits.limits)
    app.command("open")(commands.open_project)
    app.command("git-credential", hidden=True)(commands.git_credential)
    _add_groups(app)


def _add_groups(app: typer.Typer) -> None:
    projects = _group(app, "projects", "Your projects.")
    projects.command("create")(commands.create_project)
    projects.command("delete")(commands.delete_project)
    projects.command("list")(commands.list_projects)
    projects.command("update")(changes.update_project)
    projects.command("transfer")(changes.transfer_project)
    teams.register(_group(app, "teams", "Teams, which own projects and have members."))
    members.register(_group(app, "members", "Who belongs to a team or has a role on a project."))
    tokens.register(_group(app, "tokens", "API tokens, of yours or of a project."))
    trial = _group(app, "canary", "A release on part of the requests.")
    for command in (canary.start, canary.promote, canary.abort, canary.status):
        trial.command(command.__name__)(command)
    beside = _group(app, "previews", "Environments beside production, one per branch.")
    beside.command("list")(previews.list_previews)
    beside.command("delete")(previews.delete_preview)
    variables = _group(app, "env", "A project's env vars.")
    variables.command("set")(env.set_env)
    variables.command("list")(env.list_env)
    variables.command("unset")(env.unset_env)
    variables.command("import")(env.import_env)
    variables.command("export")(env.export_env)
    names = _group(app, "domains", "Domains of one's own for a project.")
    names.command("list")(domains.list_domains)
    names.command("add")(domains.add_domain)
    names.command("check")(domains.check_domain)
    names.command("update")(domains.update_domain)
    names.command("remove")(domains.remove_domain)
    routing = _group(app, "rules", "Rules of a project's routes.")
    routing.command("show")(rules.show_rules)
    routing.command("set")(rules.set_rules)
    routing.command("clear")(rules.clear_rules)
    hooks.register(_group(app, "hooks", "Who is told of what happens: webhooks, chats, mails."))
    repository.register(_group(app, "repo", "The repository that a project is built from."))


def _group(app: typer.Typer, name: str, about: str) -> typer.Typer:
    made = typer.Typer(no_args_is_help=True, help=about)
    app.add_typer(made, name=name)
    return made
