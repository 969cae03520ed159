"""What a request for a deployment must look like. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

import orjson

from kernel import ids
from kernel.deployments import Kind, State
from kernel.errors import define

DEPLOYMENT_INVALID = define("DEPLOYMENT_INVALID", source="client", status=422)

MESSAGE_LENGTH: Final = 200  # characters of a commit's first line that are kept
_COMMIT: Final = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")  # SHA-1 or SHA-256
_REF: Final = re.compile(r"refs/(?!.*(?:\.\.|@\{))[^\x00-\x20\x7f~^:?*\[\\]{1,250}")  # git-check-ref-format(1)
_ENVIRONMENT: Final = re.compile(r"production|preview/.{1,200}")


@dataclass(frozen=True, slots=True)
class Filter:
    """Which deployments are wanted.

    Attributes:
        environment: only of this one; "" is any.
        states: only in one of these; none is any.
        kinds: only of one of these; none is any.
    """

    environment: str = ""
    states: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()


def check_filter(chosen: Filter) -> None:
    """Refuses states and kinds that there are not: nothing would ever be found.

    Raises:
        ShipoffError: DEPLOYMENT_INVALID.
    """
    for given, known in ((chosen.states, State), (chosen.kinds, Kind)):
        if unknown := set(given) - {one.value for one in known}:
            what = "state" if known is State else "kind"
            raise DEPLOYMENT_INVALID(f"{sorted(unknown)[0][:80]!r} is no {what} of a deployment: {', '.join(known)}")


def check_request(deployment_id: str, environment: str) -> None:
    """Refuses what is no deployment of an environment.

    Raises:
        ShipoffError: DEPLOYMENT_INVALID.
    """
    if not ids.is_id(deployment_id, "dep"):
        raise DEPLOYMENT_INVALID(f"{deployment_id[:80]!r} is not a deployment id")
    if not _ENVIRONMENT.fullmatch(environment):
        raise DEPLOYMENT_INVALID(f"{environment[:80]!r} is not an environment")


def check_source(commit: str, ref: str) -> None:
    """Refuses what the orchestrator could not fetch.

    Raises:
        ShipoffError: DEPLOYMENT_INVALID.
    """
    if not _COMMIT.fullmatch(commit):
        raise DEPLOYMENT_INVALID(f"{commit[:80]!r} is not a full commit id")
    if not _REF.fullmatch(ref):
        raise DEPLOYMENT_INVALID(f"{ref[:80]!r} is not a full ref name")


def kind_of(text: str) -> Kind:
    """The kind that a request names; "" is a build.

    Raises:
        ShipoffError: DEPLOYMENT_INVALID.
    """
    try:
        return Kind(text or Kind.BUILD)
    except ValueError:
        raise DEPLOYMENT_INVALID(f"{text[:80]!r} is no kind of deployment: {', '.join(Kind)}") from None


def canary_of(text: str) -> dict[str, Any]:
    """A canary's plan, as the orchestrator reads it.

    Raises:
        ShipoffError: DEPLOYMENT_INVALID when it is not one JSON object.
    """
    try:
        value = orjson.loads(text or "{}")
    except orjson.JSONDecodeError:
        value = None
    if not isinstance(value, dict):
        raise DEPLOYMENT_INVALID("a canary's plan is one JSON object")
    return value


def first_line(message: str) -> str:
    """What of a commit message is kept."""
    return message.strip().partition("\n")[0][:MESSAGE_LENGTH].replace("\0", "")
