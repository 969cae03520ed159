"""Between claims and the messages of proto/projects/v1/domains.proto."""

from __future__ import annotations

from control.projects.domains.claim import Claim, State
from control.projects.domains.names import unicode_of
from control.projects.domains.records import AppsUrl, records_of
from control.projects.domains.sight import told
from kernel.times import ms_of
from proto.projects.v1 import domains_pb2 as pb


def domain_to(claim: Claim, apps: AppsUrl) -> pb.Domain:
    """A claim as a message."""
    records = records_of(claim.name, claim.token, apps.host(claim.project_name))
    return pb.Domain(
        id=claim.id,
        project_id=claim.project_id,
        name=claim.name,
        unicode_name=unicode_of(claim.name),
        environment=claim.environment,
        redirect_to=claim.redirect_to,
        redirect_status=claim.redirect_status,
        state=claim.state,
        proof=claim.proof,
        problem=claim.problem,
        message=told(claim.problem, claim.looks),
        records=[pb.DnsRecord(type=one.type, name=one.name, value=one.value, proves=one.proves) for one in records],
        looks=[
            pb.DnsLook(
                type=look["type"],
                name=look["name"],
                expected=look["value"],
                answer=look["answer"],
                found=look["found"],
                matches=look["matches"],
            )
            for look in claim.looks
        ],
        created_at_ms=ms_of(claim.created_at),
        checked_at_ms=ms_of(claim.checked_at),
        verified_at_ms=ms_of(claim.verified_at),
        next_check_at_ms=0 if claim.state is State.EXPIRED else ms_of(claim.check_at),
    )
