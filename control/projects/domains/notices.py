"""What hooks are told of a domain that has come into another state. Pure."""

from __future__ import annotations

from typing import Final

from control.projects.domains.claim import Claim, Problem, State
from control.projects.hooks.notify import Notice

HINTS: Final = {
    State.FAILING: "put its DNS record back, or it is taken off; shipoff domains check NAME says what is missing",
    State.EXPIRED: "add its DNS record, then: shipoff domains check NAME",
}


def of_domain(claim: Claim, state: State, problem: Problem) -> Notice:
    """What is told.

    Args:
        claim: as it stood.
        state: as it stands now; verified, failing or expired.
    """
    said = {
        "id": claim.id,
        "name": claim.name,
        "state": state.value,
        "problem": problem.value,
        "hint": HINTS.get(state, ""),
    }
    return Notice(f"domain.{state}", claim.project_id, data={"domain": said})
