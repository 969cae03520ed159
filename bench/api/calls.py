"""The calls that people and their tools make most, and a project that has something to show."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bench.stack import Platform

PROJECT = "busy"
VARIABLES = 30


@dataclass(frozen=True)
class Call:
    """One call, the same each time."""

    name: str
    method: str
    path: str
    body: Any = None


def prepare(platform: Platform) -> list[Call]:
    """Makes a project with variables and further ones beside it; returns the ten calls."""
    for number in range(20):
        platform.call("POST", "/v1/projects", {"name": f"beside-{number}"})
    env = {f"NAME_{number}": f"value {number}" for number in range(VARIABLES)}
    project = platform.call("POST", "/v1/projects", {"name": PROJECT, "env": env})
    team, at = project["team_id"], f"/v1/projects/{PROJECT}"
    return [
        Call("who I am", "GET", "/v1/me"),
        Call("my projects", "GET", "/v1/projects"),
        Call("a project", "GET", at),
        Call("its deployments", "GET", f"{at}/deployments"),
        Call("its variables", "GET", f"{at}/env"),
        Call("a variable is set", "PUT", f"{at}/env", {"set": {"NAME_1": "new"}, "deploy": False}),
        Call("its domains", "GET", f"{at}/domains"),
        Call("what it runs", "GET", f"{at}/processes"),
        Call("its last log lines", "GET", f"{at}/logs?tail=20"),
        Call("a team's members", "GET", f"/v1/teams/{team}/members"),
    ]


BASELINE = Call("the landing page (the frame alone)", "GET", "/")
