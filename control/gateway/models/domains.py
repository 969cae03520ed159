"""Custom domains: what adds and changes one, and how it is shown."""

from __future__ import annotations

from typing import Annotated, Literal, TypedDict

from pydantic import Field

from control.gateway.models.base import Body, time_of, time_or_none
from proto.projects.v1 import domains_pb2

Name = Annotated[str, Field(max_length=400)]
Status = Literal[301, 302, 307, 308]


class CreateDomain(Body):
    """A domain for an environment.

    Attributes:
        name: `www.example.org`, `example.org` or `*.example.org`; may be Unicode.
        environment: `production` or `preview/…`; production when empty.
        redirect_to: another domain of the project, verified, where requests are sent; empty serves the environment.
        redirect_status: of that redirect; 308 keeps method and body.
    """

    name: Annotated[str, Field(min_length=1, max_length=400)]
    environment: Name = ""
    redirect_to: Name = ""
    redirect_status: Status = 308


class UpdateDomain(Body):
    """A change of a domain: what is absent or null stays.

    Attributes:
        environment: `production` or `preview/…`.
        redirect_to: another domain of the project, verified; empty serves the environment itself.
        redirect_status: of the redirect.
    """

    environment: Name | None = None
    redirect_to: Name | None = None
    redirect_status: Status | None = None


class DnsRecordShape(TypedDict):
    """A record to add where the domain's DNS is kept.

    Attributes:
        type: `TXT` or `CNAME`.
        name: where.
        value: what it says.
        proves: whether it proves the domain; any one that does is enough, and one that does not leads requests here.
    """

    type: str
    name: str
    value: str
    proves: bool


class DnsLookShape(TypedDict):
    """What the last look at the DNS saw of one record.

    Attributes:
        type: `TXT` or `CNAME`.
        name: that was asked for.
        expected: value.
        answer: `found`, `no_record` (the name has none of the type), `no_name` (NXDOMAIN), `loop` (CNAMEs in a circle),
            `failed` (SERVFAIL or REFUSED) or `silent` (no answer in time).
        found: values, cut and made printable; of a CNAME the way that it leads.
        matches: whether the expected value is among them.
    """

    type: str
    name: str
    expected: str
    answer: str
    found: list[str]
    matches: bool


class DomainShape(TypedDict):
    """A custom domain, with what would prove it and how it stands.

    Attributes:
        id: dom_….
        name: lower case, in `xn--` form where it has one.
        unicode_name: as people read it.
        environment: that is served there.
        redirect_to: where requests are sent instead; empty: nowhere.
        redirect_status: of that redirect.
        state: `pending` (not proven yet), `verified`, `failing` (served, but the proof is gone) or `expired` (not
            served, and looked at only when asked).
        proof: the record that verified it, `txt` or `cname`; null when it is not.
        problem: why the last look did not verify it: `DNS_RECORD_MISSING`, `DNS_RECORD_WRONG`, `DNS_UNREACHABLE`,
            `DNS_TXT_REQUIRED` or `DOMAIN_HELD`; null when there is none.
        message: the problem in sentences: what was asked, found and expected; null when there is none.
        records: of which any one that proves it is to be added.
        looks: what the last look saw.
        created_at: RFC 3339.
        checked_at: when it was looked at last, RFC 3339; null before the first time.
        verified_at: since when it is verified, RFC 3339; null when it never was.
        next_check_at: when it is looked at next, RFC 3339; null when only on request.
    """

    id: str
    name: str
    unicode_name: str
    environment: str
    redirect_to: str
    redirect_status: int
    state: str
    proof: str | None
    problem: str | None
    message: str | None
    records: list[DnsRecordShape]
    looks: list[DnsLookShape]
    created_at: str
    checked_at: str | None
    verified_at: str | None
    next_check_at: str | None


class DomainList(TypedDict):
    """A project's domains.

    Attributes:
        domains: all of them, by name.
    """

    domains: list[DomainShape]


def domain(message: domains_pb2.Domain) -> DomainShape:
    """A domain as the API shows it."""
    return {
        "id": message.id,
        "name": message.name,
        "unicode_name": message.unicode_name,
        "environment": message.environment,
        "redirect_to": message.redirect_to,
        "redirect_status": message.redirect_status,
        "state": message.state,
        "proof": message.proof or None,
        "problem": message.problem or None,
        "message": message.message or None,
        "records": [
            {"type": one.type, "name": one.name, "value": one.value, "proves": one.proves} for one in message.records
        ],
        "looks": [
            {
                "type": one.type,
                "name": one.name,
                "expected": one.expected,
                "answer": one.answer,
                "found": list(one.found),
                "matches": one.matches,
            }
            for one in message.looks
        ],
        "created_at": time_of(message.created_at_ms),
        "checked_at": time_or_none(message.checked_at_ms),
        "verified_at": time_or_none(message.verified_at_ms),
        "next_check_at": time_or_none(message.next_check_at_ms),
    }
