"""The operator's commands: up, status, down, token, rotate-keys, set-plan, doctor."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from stack.environment import default_directory

Dir = Annotated[Path | None, typer.Option("--dir", help="State directory of the stack.", show_default="per user")]
NOT_RUNNING: Final = 3
DOWN_S: Final = 120.0


def register(app: typer.Typer) -> None:
    """Adds the commands to the application."""
    for command in (up, status, down, token, rotate_keys, set_plan, doctor):
        app.command()(command)


def up(
    directory: Dir = None,
    detach: Annotated[bool, typer.Option("--detach", help="Return when everything is up.")] = False,
    demo: Annotated[bool, typer.Option(help="Deploy examples on the first run.")] = True,
    host: Annotated[str | None, typer.Option(help="Address of router and gateway.")] = None,
    router_port: Annotated[int | None, typer.Option(help="Preferred port of the router.")] = None,
    gateway_port: Annotated[int | None, typer.Option(help="Preferred port of the gateway.")] = None,
    router_workers: Annotated[int | None, typer.Option(help="Router processes; 0: per CPU, at most 4.")] = None,
    postgres_url: Annotated[
        str | None, typer.Option(help="An existing Postgres, as a role that makes databases.")
    ] = None,
    redis_url: Annotated[str | None, typer.Option(help="An existing Redis or Valkey.")] = None,
    s3_endpoint: Annotated[str | None, typer.Option(help="An existing S3 server.")] = None,
    s3_bucket: Annotated[str | None, typer.Option(help="Bucket in it; made when missing.")] = None,
) -> None:
    """Start the platform on this machine and stay in the foreground until Ctrl-C.

    Every option is remembered in the state directory. URLs with passwords are better given as
    SHIPOFF_STACK_POSTGRES_URL, SHIPOFF_STACK_REDIS_URL, or a file named by the same with _FILE behind it.
    """
    from stack.display import for_terminal
    from stack.run import run, run_detached

    options: dict[str, object] = {
        "host": host,
        "router_port": router_port,
        "gateway_port": gateway_port,
        "router_workers": router_workers,
        "postgres_url": postgres_url,
        "redis_url": redis_url,
        "s3_endpoint": s3_endpoint,
        "s3_bucket": s3_bucket,
    }
    display = for_terminal()
    try:
        if detach:
            run_detached(_directory(directory), options, display, examples=demo)
            return
        code = run(_directory(directory), options, display, examples=demo)
    finally:
        display.close()
    raise typer.Exit(code)


def status(
    directory: Dir = None, as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False
) -> None:
    """Show what runs, where, and what it weighs. Exit code: 0 all ready, 1 not all, 3 not running."""
    from stack.state import State
    from stack.status import read

    found = asyncio.run(read(State(_directory(directory))))
    if as_json:
        print(json.dumps(found, indent=1))
    else:
        _print_status(found)
    if found["state"] == "stopped":
        raise typer.Exit(NOT_RUNNING)
    if found["state"] != "ready" or any(row["state"] != "ready" for row in found["services"]):
        raise typer.Exit(1)


def down(directory: Dir = None) -> None:
    """Stop the platform of a state directory; what it keeps stays there."""
    from stack.down import stop_stack
    from stack.state import State

    state = State(_directory(directory))
    if stop_stack(state, DOWN_S):
        print(f"stopped the stack in {state.directory}")
    else:
        print(f"no stack runs in {state.directory}")


def token(
    directory: Dir = None, name: Annotated[str, typer.Option(help="What the token is for.")] = "shipoff token"
) -> None:
    """Make a further API token of the owner (needs the state directory's secrets)."""
    from stack.owner import make_token
    from stack.state import State
    from stack.status import auth_address

    state = State(_directory(directory))
    address = auth_address(state)
    print(asyncio.run(make_token(address, state.secrets()["service_token"], name)))


def rotate_keys(
    directory: Dir = None,
    add: Annotated[bool, typer.Option("--add", help="First step: put a new key in front.")] = False,
    drop: Annotated[bool, typer.Option("--drop", help="Last step: forget the older keys.")] = False,
) -> None:
    """Replace the key that seals secrets at rest: --add, restart, then without options, --drop, restart.

    Without options everything is sealed anew under the first key of the ring. It may be broken off and run again.
    """
    from stack import keys
    from stack.state import State
    from stack.status import auth_address

    state = State(_directory(directory))
    if add:
        print(f"the key {keys.add(state)} is in front; restart (shipoff down, shipoff up), then: shipoff rotate-keys")
        return
    if drop:
        print(f"forgotten: {', '.join(keys.drop(state)) or 'nothing'}; the next start is without")
        return
    auth_address(state)  # it runs, or says that it does not

    async def follow() -> None:
        async for line in keys.reseal(state):
            print(line, flush=True)

    asyncio.run(follow())


def set_plan(
    team: Annotated[str, typer.Argument(help="Its id (tem_…).")],
    plan: Annotated[str, typer.Argument(help="hobby, pro or unlimited.")],
    override: Annotated[list[str] | None, typer.Option("--limit", help="A limit that differs: projects=50.")] = None,
    directory: Dir = None,
) -> None:
    """Give a team a plan, and limits of its own beside it (needs the state directory's secrets).

    Overrides of before are forgotten. What the team has above a new limit stays; it gets no more.
    """
    from stack import plans
    from stack.state import State

    limits = asyncio.run(plans.give(State(_directory(directory)), team, plan, plans.overrides_of(override or [])))
    for name, limit in limits.items():
        print(f"{name:<16} {'no limit' if limit < 0 else f'{limit:,}'}")


def doctor(as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False) -> None:
    """Say what this machine lacks, and what that costs. Exit code 1 when the platform cannot run."""
    from stack.doctor import examine

    findings = examine()
    if as_json:
        print(json.dumps([finding.as_dict() for finding in findings], indent=1))
    else:
        for finding in findings:
            mark = {"ok": "ok  ", "limited": "LESS", "missing": "FAIL"}[finding.verdict]
            print(f"{mark}  {finding.name:<22} {finding.found}")
            if finding.verdict != "ok":
                print(f"      {'':<22} costs: {finding.costs}")
                print(f"      {'':<22} remedy: {finding.remedy}")
    if any(finding.verdict == "missing" for finding in findings):
        raise typer.Exit(1)


def _directory(given: Path | None) -> Path:
    return given or default_directory()


def _print_status(found: dict[str, Any]) -> None:
    print(f"{found['state']}: {found['dir']}")
    memory = found.get("memory", {}).get("pss_mb", {})
    for row in found["services"]:
        weight = f"{memory[row['name']]:7.1f} MB" if row["name"] in memory else ""
        note = row.get("missing") or (f"restarted {row['restarts']} times" if row.get("restarts") else "")
        print(f"  {row['name']:<14} {row['state']:<10} {row['pid'] or '-':>8} {weight:>12}  {note}".rstrip())
    if memory:
        total = found["memory"]
        print(
            f"  memory of the platform (PSS): {total['platform_mb']} MB, goal {total['goal_mb']:.0f} MB"
            f" {'met' if total['met'] else 'NOT MET'}; users' apps: {total['apps_mb']} MB"
        )
    for name, url in {**found["urls"], "projects": ""}.items():
        if url:
            print(f"  {name:<14} {url}")
    for name, url in found["urls"].get("projects", {}).items():
        print(f"  {name:<14} {url}")
    sys.stdout.flush()
