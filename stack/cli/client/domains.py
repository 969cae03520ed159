"""`shipoff domains`: names of one's own for a project, and the DNS records that prove them."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from stack.cli.client import link, show
from stack.cli.client.api import Api
from stack.cli.client.failures import Exit, Failure, reported
from stack.cli.client.options import Json, Project

Domain = Annotated[str, typer.Argument(help="Its name, e.g. www.example.org or *.example.org, or dom_….")]


@reported
def list_domains(project: Project = None, as_json: Json = False) -> None:
    """Lists the custom domains of a project."""
    found = Api().get("projects", link.project(project), "domains")
    if as_json:
        show.as_json(found)
        return
    rows = [
        [one["unicode_name"], _what(one), one["state"], one["problem"] or one["proof"] or ""]
        for one in found["domains"]
    ]
    show.table(["DOMAIN", "SERVES", "STATE", "PROOF"], rows, "no domains yet: shipoff domains add NAME")


@reported
def add_domain(
    name: Domain,
    project: Project = None,
    environment: Annotated[str, typer.Option(help="production, or preview/BRANCH.")] = "production",
    redirect_to: Annotated[str, typer.Option(help="Another verified domain of the project.")] = "",
    redirect_status: Annotated[int, typer.Option(help="301, 302, 307 or 308.")] = 308,
    as_json: Json = False,
) -> None:
    """Adds a domain, and says which DNS record proves that it is yours."""
    body = {
        "name": name,
        "environment": environment,
        "redirect_to": redirect_to,
        "redirect_status": redirect_status,
    }
    made = Api().post("projects", link.project(project), "domains", body=body)
    if as_json:
        show.as_json(made)
        return
    print(f"{made['unicode_name']} is added; it is served once one of its records is in the DNS")
    _records(made)
    print(f"then: shipoff domains check {made['name']}")


@reported
def check_domain(name: Domain, project: Project = None, as_json: Json = False) -> None:
    """Looks at a domain's DNS records now; exit status 1 when it is not verified."""
    found = Api().post("projects", link.project(project), "domains", name, "check", body={})
    if as_json:
        show.as_json(found)
        sys.exit(Exit.OK if found["state"] == "verified" and not found["problem"] else Exit.FAILED)
    if not found["problem"]:
        print(f"{found['unicode_name']} is verified by its {found['proof'].upper()} record: {_what(found)}")
        return
    print(f"{found['unicode_name']} is {found['state']}")
    _records(found)
    raise Failure(found["problem"], found["message"], "new records take until the old answer's TTL is over")


@reported
def update_domain(
    name: Domain,
    project: Project = None,
    environment: Annotated[str | None, typer.Option(help="production, or preview/BRANCH.")] = None,
    redirect_to: Annotated[
        str | None, typer.Option(help='Another verified domain of the project; "" serves the app.')
    ] = None,
    redirect_status: Annotated[int | None, typer.Option(help="301, 302, 307 or 308.")] = None,
    as_json: Json = False,
) -> None:
    """Changes what a domain serves; routers are told at once."""
    said = {"environment": environment, "redirect_to": redirect_to, "redirect_status": redirect_status}
    body = {key: value for key, value in said.items() if value is not None}
    if not body:
        raise Failure("NOTHING_TO_CHANGE", "no change was named", "shipoff domains update --help", Exit.USAGE)
    made = Api().patch("projects", link.project(project), "domains", name, body=body)
    if as_json:
        show.as_json(made)
        return
    print(f"{made['unicode_name']}: {_what(made)}")


@reported
def remove_domain(name: Domain, project: Project = None) -> None:
    """Gives a domain up; remove its DNS records as well."""
    Api().delete("projects", link.project(project), "domains", name)
    print(f"{name} is removed; remove its DNS records as well")


def _what(domain: dict[str, Any]) -> str:
    if domain["redirect_to"]:
        return f"{domain['redirect_status']} to {domain['redirect_to']}"
    return str(domain["environment"])


def _records(domain: dict[str, Any]) -> None:
    rows = [
        [one["type"], one["name"], one["value"], "proves it" if one["proves"] else "leads requests here"]
        for one in domain["records"]
    ]
    show.table(["TYPE", "NAME", "VALUE", ""], rows, "")
