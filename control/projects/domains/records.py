"""Which DNS records prove a claim. Pure.

A TXT record with the claim's own random token proves it always: nobody else knows the token, and only who controls the
name can put it there. A CNAME to `<project>.<apps domain>` proves an exact name too, because it names the project: one
name has one CNAME, so it can prove the claim of one project only. But project names are given again: who once held a
name may have left the CNAME behind, and whoever takes the project's name next would own it. So where the name was last
held by another team, or lies below a wildcard that another team holds, only the TXT record counts (`checking.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from control.projects.domains.names import VERIFICATION_LABEL, base_of, is_wildcard

TXT: Final = "TXT"
CNAME: Final = "CNAME"
PREFIX: Final = "shipoff-verification="


@dataclass(frozen=True, slots=True)
class Record:
    """A record that somebody is to add.

    Attributes:
        type: TXT or CNAME.
        name: where.
        value: what it says.
        proves: whether it proves the claim; one that doesn't only leads requests here.
    """

    type: str
    name: str
    value: str
    proves: bool = True


@dataclass(frozen=True, slots=True)
class AppsUrl:
    """The template of a project's address, taken apart.

    Attributes:
        template: `http://{project}.apps.example.org:8080`.
    """

    template: str

    @property
    def domain(self) -> str:
        """What every project's host lies below."""
        return self.host("x").partition(".")[2]

    def host(self, project: str) -> str:
        """A project's own host, which a CNAME names."""
        return urlsplit(self.template.format(project=project)).hostname or ""

    def beside(self, host: str) -> str:
        """The address of a custom host: as the template, scheme and port alike."""
        parts = urlsplit(self.template.format(project="x"))
        return f"{parts.scheme}://{host}" + (f":{parts.port}" if parts.port else "")


def records_of(name: str, token: str, target: str) -> list[Record]:
    """What to add for a name, either of which proves it; for a wildcard only the first does.

    Args:
        name: normalised.
        token: of the claim.
        target: the project's own host.
    """
    txt = Record(TXT, f"{VERIFICATION_LABEL}.{base_of(name)}", PREFIX + token)
    return [txt, Record(CNAME, name, target, proves=not is_wildcard(name))]
