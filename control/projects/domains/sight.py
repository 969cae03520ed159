"""What the DNS said when a claim was looked at, in a form that people can be shown. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Final

from control.projects.domains.claim import Problem
from control.projects.domains.records import TXT, Record

SHOWN: Final = 5  # values of an answer, at most
LONGEST: Final = 120  # characters of each


class Answer(StrEnum):
    """What a question was answered."""

    FOUND = "found"  # there are records of the type; `values` has them
    NO_RECORD = "no_record"  # the name exists, and has none of the type (NOERROR without data)
    NO_NAME = "no_name"  # NXDOMAIN
    LOOP = "loop"  # the CNAMEs lead in a circle, or on and on
    FAILED = "failed"  # SERVFAIL, REFUSED, or nonsense: the zone or its servers are broken
    SILENT = "silent"  # nobody answered in time


UNKNOWN: Final = frozenset((Answer.FAILED, Answer.SILENT))  # what says nothing about the record


@dataclass(frozen=True, slots=True)
class Look:
    """One question and its answer.

    Attributes:
        expected: the record that was looked for.
        answer: of the DNS.
        values: what there was instead or as well: texts, or the way that the CNAMEs lead.
        matches: whether the record is there.
    """

    expected: Record
    answer: Answer
    values: tuple[str, ...] = ()
    matches: bool = False

    def wire(self) -> dict[str, Any]:
        """As it is stored and shown; what others wrote into their DNS is cut and made printable."""
        return {
            **{name: value for name, value in asdict(self.expected).items() if name != "proves"},
            "answer": self.answer.value,
            "found": [ascii(value)[1:-1][:LONGEST] for value in self.values[:SHOWN]],
            "matches": self.matches,
        }


@dataclass(frozen=True, slots=True)
class Sight:
    """What was seen at one look at a claim."""

    looks: tuple[Look, ...]

    def proof(self, *, txt_only: bool) -> str:
        """Which record proves the claim: "txt", "cname", or "" for none."""
        proving = [look.expected.type for look in self.looks if look.matches and look.expected.proves]
        if TXT in proving:
            return "txt"
        return "cname" if proving and not txt_only else ""

    def problem(self, *, txt_only: bool) -> Problem:
        """Why there is no proof, as far as the DNS goes."""
        if self.proof(txt_only=txt_only):
            return Problem.NONE
        asked = [look for look in self.looks if look.expected.proves]
        counted = [look for look in asked if not txt_only or look.expected.type == TXT]
        if any(look.answer in UNKNOWN for look in counted):
            return Problem.UNREACHABLE
        if self.proof(txt_only=False):
            return Problem.TXT_REQUIRED
        return Problem.WRONG if any(look.answer is Answer.FOUND for look in counted) else Problem.MISSING


def told(problem: Problem, looks: Sequence[dict[str, Any]]) -> str:
    """A problem in sentences: what was asked, what was found, what is expected.

    Args:
        looks: of `Look.wire`.
    """
    if problem is Problem.NONE:
        return ""
    if problem is Problem.HELD:
        return "The record is right, but another project holds this name, and its record is there too: remove that one."
    first = "The CNAME is right, but this name was or is another team's, so the TXT record is needed as well. "
    return (first if problem is Problem.TXT_REQUIRED else "") + " ".join(_sentence(look) for look in looks)


def _sentence(look: dict[str, Any]) -> str:
    question = f"{look['type']} {look['name']}"
    if look["matches"]:
        return f"{question} is right."
    found = {
        Answer.FOUND: f"says {', '.join(look['found'])}",
        Answer.NO_RECORD: "has no such record",
        Answer.NO_NAME: "does not exist (NXDOMAIN)",
        Answer.LOOP: f"leads in a circle: {' -> '.join(look['found'])}",
        Answer.FAILED: "could not be answered (SERVFAIL or REFUSED): the zone or its name servers are broken",
        Answer.SILENT: "was not answered in time: its name servers can't be reached",
    }[Answer(look["answer"])]
    return f"{question} {found}; expected {look['value']}."
