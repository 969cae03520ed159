"""The states of a deployment and the legal moves between them, as one table.

Every write of a state is a compare-and-set on the situation that it leaves (`situations`), so a late or repeated event
can never take a deployment backwards. The pictures in docs/deployment-states.md are what `diagram` and `table` make of
`MOVES`.
"""

from __future__ import annotations

from dataclasses import dataclass
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


class Kind(StrEnum):
    """What a deployment is made of: a commit, or a release that exists already or is derived from one."""

    BUILD = "build"
    ROLLBACK = "rollback"
    PROMOTE = "promote"
    CONFIG = "config"


class Stage(StrEnum):
    """What the orchestrator is doing for a deployment; a failure names the stage, `timings_ms` how long it took."""

    QUEUE = "queue"
    FETCH = "fetch"
    DETECT = "detect"
    BUILD = "build"
    ARTIFACT = "artifact"
    RELEASE = "release"
    COMMAND = "command"
    START = "start"
    HEALTH = "health"
    CANARY = "canary"
    ROUTE = "route"


BUILT: Final = frozenset({Kind.BUILD})
REUSED: Final = frozenset(Kind) - BUILT
A_CODE: Final = "the code of an error (docs/errors.md), with its stage and hint"


@dataclass(frozen=True, slots=True)
class Move:
    """One legal move.

    Attributes:
        kinds: the kinds of deployments that may make it.
        flipped: whether the routes must (True) or must not (False) point at its release; None: either.
        reason: what the deployment's `reason` says afterwards; "" is nothing.
        rule: what else must hold, or happens in the same transaction.
    """

    source: State
    to: State
    kinds: frozenset[Kind] = frozenset(Kind)
    flipped: bool | None = None
    reason: str = ""
    rule: str = ""


def _endings(source: State) -> tuple[Move, ...]:
    """Work that is not finished may end in these ways, as long as no router was told of it."""
    return (
        Move(source, State.FAILED, flipped=False, reason=A_CODE, rule="a flip is undone in the same transaction"),
        Move(source, State.CANCELED, flipped=False, reason="CANCELED"),
        Move(source, State.SUPERSEDED, flipped=False, reason="SUPERSEDED", rule="a newer deployment is in its place"),
    )


ONE_LIVE: Final = "the environment has no other LIVE deployment; that one becomes INACTIVE in the same transaction"
MOVES: Final[tuple[Move, ...]] = (
    Move(State.QUEUED, State.BUILDING, kinds=BUILT, flipped=False),
    Move(State.QUEUED, State.PROVISIONING, kinds=REUSED, flipped=False, rule="nothing is built: its release exists"),
    *_endings(State.QUEUED),
    Move(State.BUILDING, State.PROVISIONING, kinds=BUILT, flipped=False, rule="its release is written with it"),
    *_endings(State.BUILDING),
    Move(State.PROVISIONING, State.LIVE, flipped=True, rule=f"every live router serves it; {ONE_LIVE}"),
    *_endings(State.PROVISIONING),
    Move(State.LIVE, State.INACTIVE, rule="another deployment becomes LIVE in the same transaction, or none is to"),
    Move(State.INACTIVE, State.LIVE, flipped=True, rule=ONE_LIVE),
)

# The states in which the platform still has work to do, and those in which the person who pushed has an answer.
UNFINISHED: Final = frozenset({State.QUEUED, State.BUILDING, State.PROVISIONING})
ANSWERED: Final = frozenset(State) - UNFINISHED


def may_move(current: State, to: State) -> bool:
    """Whether a deployment may go from one state to the other."""
    return current.value in sources_of(to)


def sources_of(to: State) -> list[str]:
    """The states from which `to` may be reached: the right side of a compare-and-set in SQL (`state = any($1)`)."""
    sources = {move.source for move in MOVES if move.to is to}
    return [state.value for state in State if state in sources]


def situations(to: State) -> list[str]:
    """The situations from which `to` may be reached, for who knows more of a deployment than its state.

    Returns:
        `STATE/kind/flipped` such as "PROVISIONING/build/true".
    """
    return [
        f"{move.source}/{kind}/{str(flipped).lower()}"
        for move in MOVES
        for kind in Kind
        for flipped in (False, True)
        if move.to is to and kind in move.kinds and move.flipped in (None, flipped)
    ]


def diagram() -> str:
    """The table as a Mermaid state diagram; docs/deployment-states.md holds it, and a test keeps it fresh."""
    moves = [f"    {move.source} --> {move.to}{_label(move)}" for move in MOVES]
    ends = [f"    {state} --> [*]" for state in State if not any(move.source is state for move in MOVES)]
    return "\n".join(["stateDiagram-v2", f"    [*] --> {State.QUEUED}", *moves, *ends])


def table() -> str:
    """The table as Markdown, for the same page."""
    rows = [
        f"| {move.source} | {move.to} | {_kinds(move) or 'any'} | {_flip(move)} | {move.reason} | {move.rule} |"
        for move in MOVES
    ]
    return "\n".join(
        ["| from | to | kinds | routes point at it | reason | rule |", "| --- | --- | --- | --- | --- | --- |", *rows]
    )


def _label(move: Move) -> str:
    return f": {_kinds(move)}" if _kinds(move) else ""


def _kinds(move: Move) -> str:
    return "" if move.kinds == frozenset(Kind) else ", ".join(kind for kind in Kind if kind in move.kinds)


def _flip(move: Move) -> str:
    return {None: "either", True: "yes", False: "no"}[move.flipped]
