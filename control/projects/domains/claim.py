"""A project's claim to a name, as it stands in the database, and the words for how it stands."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from kernel.database.pool import Row


class State(StrEnum):
    """How a claim stands. Who is verified or failing holds the name: it is served for that project and no other."""

    PENDING = "pending"  # not proven yet; looked at again and again, for some days
    VERIFIED = "verified"
    FAILING = "failing"  # the proof has been gone for days; still served, until the grace ends
    EXPIRED = "expired"  # never proven in its time, or no longer; looked at when somebody asks


class Problem(StrEnum):
    """Why the last look did not verify a claim."""

    NONE = ""
    MISSING = "DNS_RECORD_MISSING"  # neither record is there
    WRONG = "DNS_RECORD_WRONG"  # there is one, and it says something else
    UNREACHABLE = "DNS_UNREACHABLE"  # the DNS gave no answer, so nothing is known
    TXT_REQUIRED = "DNS_TXT_REQUIRED"  # the CNAME is right, and for this name it is not enough
    HELD = "DOMAIN_HELD"  # it is proven, and so is another project's claim that holds the name


HELD_STATES: Final = frozenset((State.VERIFIED, State.FAILING))


@dataclass(frozen=True, slots=True)
class Claim:
    """One claim.

    Attributes:
        name: normalised (names.py).
        token: what the TXT record must say; another one for each claim.
        proof: which record verified it last: "txt", "cname", or "" for none.
        looks: what the last look saw, as JSON (sight.py).
        checks: looks since it was claimed, or since it was last verified.
        absent_s: for how many seconds the DNS has said that the proof is gone; silence of the DNS does not count.
        project_name: of the project, the first label of the CNAME's target.
        team_id: whose the project is.
    """

    id: str
    project_id: str
    name: str
    environment: str
    redirect_to: str
    redirect_status: int
    token: str
    state: State
    proof: str
    problem: Problem
    looks: list[dict[str, Any]]
    checks: int
    absent_s: float
    created_at: datetime
    claimed_at: datetime
    checked_at: datetime | None
    verified_at: datetime | None
    check_at: datetime
    project_name: str
    team_id: str

    @property
    def is_held(self) -> bool:
        """Whether the name is this project's now."""
        return self.state in HELD_STATES


def claim_of(row: Row) -> Claim:
    """A claim of its row."""
    values = {name: row[name] for name in Claim.__slots__}
    return Claim(**{**values, "state": State(row["state"]), "problem": Problem(row["problem"])})
