"""Tells in sentences what became of a request, or what would become of one. Pure: values in, sentences out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from control.gateway.reasons import reason

Json = Mapping[str, Any]


def of_request(one: Json) -> list[str]:
    """What became of a request.

    Args:
        one: as `models.requests` shows it.
    """
    took = one["queue_ms"] + one["connect_ms"] + one["first_byte_ms"] + one["body_ms"]
    said = [
        f"{one['method']} {one['host']}{one['target']} came at {one['at']} and took {took:.1f} ms.",
        _answer(one),
    ]
    if one["release_id"]:
        by = f", instance {one['instance_id']}" if one["instance_id"] else ""
        said.append(f"It went to release {one['release_id']} of {one['environment']}{by}.")
    if one["attempts"] > 1:
        said.append(f"It was sent {one['attempts']} times: earlier attempts failed before the app had answered.")
    said.append(_times(one))
    return said


def _answer(one: Json) -> str:
    if one["error"]:
        return f"The router answered {one['status']} {one['error']}: {reason(one['error'])}."
    if not one["status"]:
        return "The client went away before there was an answer."
    who = {
        "app": "The app",
        "woken": "The app, which had to be woken for it,",
        "file": "A file of the release",
        "cache": "The cache",
        "tunnel": "The app, which took the connection over,",
    }.get(one["kind"], "The router itself")
    whole = "" if one["whole"] else ", and the answer broke off before its end"
    return f"{who} answered {one['status']}{whole}."


def _times(one: Json) -> str:
    waited = "for the app's cold start" if one["kind"] == "woken" else "for an instance"
    parts = [
        f"{one[name]:.1f} ms {text}"
        for name, text in (
            ("queue_ms", f"waiting {waited}"),
            ("connect_ms", "connecting"),
            ("first_byte_ms", "until the answer began"),
            ("body_ms", "until it was whole"),
        )
        if one[name]
    ]
    return f"Of that {', '.join(parts)}." if parts else "Nothing of it took a measurable time."


def of_address(
    address: str, route: Json | None, releases: Sequence[Json], routers: Sequence[Json], router: Json | None = None
) -> list[str]:
    """What a request would meet.

    Args:
        address: as asked.
        route: the record; None when there is none.
        releases: {"id", "share", "state", "instances"} of those that it can go to.
        routers: {"id", "version", "current"}.
        router: {"rules", "waiting", "instances"} as one router sees it; None when none could be asked.
    """
    if route is None:
        return [f"{address} would be answered 404 NO_ROUTE: {reason('NO_ROUTE')} in this project.", *_spread(routers)]
    where = f"{route['host']}{route['path']}"
    said = [f"{address} is answered by the route {where} ({route['kind']}, version {route['version']})."]
    if router is not None and router["rules"]:
        said += [_rule(one) for one in router["rules"]]
    elif rules := sorted(route.get("rules") or {}):
        said.append(f"Its rules are asked first: {', '.join(rules)}.")
    if route["kind"] == "static":
        said += _files(route)
    said += [_release(one, alone=len(releases) == 1) for one in releases]
    return said + (_sight(router) if router is not None else []) + _spread(routers)


def _rule(one: Json) -> str:
    status = f"{one['answers']}: " if one.get("answers") else ""
    return f"Rule {one['rule']}: {status}{one['effect']}."


def _sight(router: Json) -> list[str]:
    """What a router knows from its own requests."""
    said = [
        f"A router has set instance {one['instance']} aside, for {one['aside_s']:.0f} s more: {one['aside_why']}."
        for one in router["instances"]
        if one["aside_s"]
    ]
    if router["waiting"]:
        said.append(f"In a router {router['waiting']} requests wait for an instance.")
    return said


def _files(route: Json) -> list[str]:
    weights = route.get("weights") or []
    if weights:
        shares = ", ".join(f"{release} (a share of {share} in weight)" for release, share in weights)
        return [f"Files come from one of the releases {shares}; a path that it lacks is answered 404 NOT_IN_RELEASE."]
    said = [f"Files come from release {route['release']}; a path that it lacks is answered 404 NOT_IN_RELEASE."]
    if route.get("previous"):
        said.append("Files with a hash in their name are also served from the release before, for pages still open.")
    return said


def _release(one: Json, *, alone: bool) -> str:
    share = "all" if alone else f"a share of {one['share']} in weight"
    name = f"Release {one['id']} gets {share}: "
    match one["state"], len(one["instances"]):
        case "asleep", _:
            return name + "it sleeps, the first request wakes it and waits meanwhile."
        case "waking", 0:
            return name + "it is being woken, requests wait."
        case _, 0:
            why = reason("NO_INSTANCE")
            return name + f"it has no instance; requests wait a moment, then get 503 NO_INSTANCE: {why}."
        case _, count:
            return name + f"it runs on {count} instance{'s' if count > 1 else ''} ({', '.join(one['instances'])})."


def _spread(routers: Sequence[Json]) -> list[str]:
    if not routers:
        return ["No router has reported what it serves."]
    behind = [one["id"] for one in routers if not one["current"]]
    if behind:
        return [f"Not all routers know that yet: {', '.join(behind)} would still answer as before."]
    return [f"All {len(routers)} router workers serve that."]
