"""Which value of a variable an environment gets. Pure.

A name may have one value for each of: all environments, production, all previews, one preview. Of those that are for
an environment, and for what is asked (a build or what runs), the most telling one counts: `preview/<branch>` before
`preview` before `all`, and `production` before `all`. So a value that is for production's builds only leaves what runs
in production with the value of `all`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from control.projects.env.rules import ALL, PREVIEWS

Phase = Literal["build", "run"]
PHASES: Final[tuple[Phase, ...]] = ("build", "run")


@dataclass(frozen=True, slots=True, repr=False)
class EnvVar:
    """A variable in clear; it has no repr, so that no log can show it.

    Attributes:
        scope: build, run, or all (both).
        environment: all, production, preview (all of them), or preview/<branch>.
        secret: the value leaves the platform only for what it runs.
    """

    name: str
    value: str
    scope: str
    environment: str
    secret: bool
    updated_at: datetime


def layers_of(environment: str) -> tuple[str, ...]:
    """What variables of an environment may be set for, the least telling first.

    Args:
        environment: production or preview/<branch>.
    """
    return (ALL, PREVIEWS, environment) if environment.startswith(f"{PREVIEWS}/") else (ALL, environment)


def merged(variables: Iterable[EnvVar], environment: str, phase: Phase) -> dict[str, EnvVar]:
    """What a build or what runs in an environment gets, by name.

    Args:
        variables: of the project, of all environments, in any order.
        environment: production or preview/<branch>.
        phase: build or run.
    """
    layers = layers_of(environment)
    given = [one for one in variables if one.environment in layers and one.scope in ("all", phase)]
    return {one.name: one for one in sorted(given, key=lambda one: layers.index(one.environment))}


def shown(variables: Iterable[EnvVar], environment: str) -> list[EnvVar]:
    """Every variable that an environment gets in a build or in what runs, by name; both when they differ."""
    known = list(variables)
    given = {(one.name, one.environment): one for phase in PHASES for one in merged(known, environment, phase).values()}
    return [given[key] for key in sorted(given)]
