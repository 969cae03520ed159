"""Registers the developer's commands: a client of any platform, here or far away."""

from __future__ import annotations

import typer

from stack.cli.client import (
    canary,
    cancel,
    commands,
    deploy,
    domains,
    env,
    environments,
    explain,
    hooks,
    previews,
    processes,
    releases,
    rules,
    shell,
)
from stack.cli.client import projects as changes


def register(app: typer.Typer) -> None:
    """Adds all of them."""
    app.command("login")(commands.login)
    projects = typer.Typer(no_args_is_help=True, help="Your projects.")
    projects.command("create")(commands.create_project)
    projects.command("delete")(commands.delete_project)
    projects.command("list")(commands.list_projects)
    projects.command("update")(changes.update_project)
    projects.command("transfer")(changes.transfer_project)
    app.add_typer(projects, name="projects")
    app.command("frameworks")(environments.frameworks)
    app.command("link")(commands.link_folder)
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
    trial = typer.Typer(no_args_is_help=True, help="A release on part of the requests.")
    for command in (canary.start, canary.promote, canary.abort, canary.status):
        trial.command(command.__name__)(command)
    app.add_typer(trial, name="canary")
    beside = typer.Typer(no_args_is_help=True, help="Environments beside production, one per branch.")
    beside.command("list")(previews.list_previews)
    beside.command("delete")(previews.delete_preview)
    app.add_typer(beside, name="previews")
    app.command("logs")(commands.logs)
    app.command("explain")(explain.explain)
    app.command("open")(commands.open_project)
    variables = typer.Typer(no_args_is_help=True, help="A project's env vars.")
    variables.command("set")(env.set_env)
    variables.command("list")(env.list_env)
    variables.command("unset")(env.unset_env)
    variables.command("import")(env.import_env)
    variables.command("export")(env.export_env)
    app.add_typer(variables, name="env")
    names = typer.Typer(no_args_is_help=True, help="Domains of one's own for a project.")
    names.command("list")(domains.list_domains)
    names.command("add")(domains.add_domain)
    names.command("check")(domains.check_domain)
    names.command("change")(domains.change_domain)
    names.command("remove")(domains.remove_domain)
    app.add_typer(names, name="domains")
    routing = typer.Typer(no_args_is_help=True, help="Rules of a project's routes.")
    routing.command("show")(rules.show_rules)
    routing.command("set")(rules.set_rules)
    routing.command("clear")(rules.clear_rules)
    app.add_typer(routing, name="rules")
    told = typer.Typer(no_args_is_help=True, help="Who is told of what happens: webhooks, chats, mails.")
    hooks.register(told)
    app.add_typer(told, name="hooks")
    app.command("git-credential", hidden=True)(commands.git_credential)
