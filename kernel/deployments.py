"""The states of a deployment and the legal moves between them, as one table.

Every write of a state is a compare-and-set on the state that it leaves (`may_move`), so a late or repeated event can
never take a deployment backwards. The diagram in docs/deployment-states.md is what `diagram` makes of `MOVES`.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class State(StrEnum):
    """Where a deployment is in its life."""

    QUEUED = "QUEUED"
    BUILDING = "BUILDING"
    PROVISIONING = "PROVISIONING"
    LIVE = "LIVE"
    INACTIVE = "INACTIVE"
    FAILED = "FAILED"
    CANCELED = "CANCELED"
    SUPERSEDED = "SUPERSEDED"


class Stage(StrEnum):
    """What the orchestrator is doing for a deployment; a failure names the stage."""

    FETCH = "fetch"
    DETECT = "detect"
    BUILD = "build"
    ARTIFACT = "artifact"
    RELEASE = "release"
    START = "start"
    HEALTH = "health"
    ROUTE = "route"


MOVES: Final[dict[State, frozenset[State]]] = {
    State.QUEUED: frozenset({State.BUILDING, State.FAILED, State.CANCELED, State.SUPERSEDED}),
    State.BUILDING: frozenset({State.PROVISIONING, State.FAILED, State.CANCELED, State.SUPERSEDED}),
    State.PROVISIONING: frozenset({State.LIVE, State.FAILED, State.CANCELED, State.SUPERSEDED}),
    State.LIVE: frozenset({State.INACTIVE}),
    State.INACTIVE: frozenset({State.LIVE}),
    State.FAILED: frozenset(),
    State.CANCELED: frozenset(),
    State.SUPERSEDED: frozenset(),
}

# The states in which the platform still has work to do, and those in which the person who pushed has an answer.
UNFINISHED: Final = frozenset({State.QUEUED, State.BUILDING, State.PROVISIONING})
ANSWERED: Final = frozenset(State) - UNFINISHED


def may_move(current: State, to: State) -> bool:
    """Whether a deployment may go from one state to the other."""
    return to in MOVES[current]


def sources_of(to: State) -> list[str]:
    """The states from which `to` may be reached: the right side of a compare-and-set in SQL (`state = any($1)`)."""
    return [state.value for state in State if to in MOVES[state]]


def diagram() -> str:
    """The table as a Mermaid state diagram; docs/deployment-states.md holds it, and a test keeps it fresh."""
    moves = [f"    {state} --> {to}" for state in State for to in State if to in MOVES[state]]
    ends = [f"    {state} --> [*]" for state in State if not MOVES[state]]
    return "\n".join(["stateDiagram-v2", f"    [*] --> {State.QUEUED}", *moves, *ends])
