"""Records of the audit log."""

from __future__ import annotations

from typing import Annotated, TypedDict

import orjson
from pydantic import Field

from control.gateway.models.base import Json, Query, Short
from proto.auth.v1 import audit_pb2


class AuditQuery(Query):
    """What is looked for; all filters must match.

    Attributes:
        project: prj_….
        actor: an account's or a credential's id, or a name, which is a person's address.
        action: how the action begins: `domain.` finds `domain.create`.
        target: what was changed: an id or a name.
        since: not before this time, RFC 3339.
        until: before this time, RFC 3339.
        text: anywhere in the fields before or after.
        limit: records of a page at most. A page may hold fewer, or none, and still have a next one.
        cursor: the `next_cursor` of the page before; absent for the first.
    """

    project: Short = ""
    actor: Short = ""
    action: Short = ""
    target: Short = ""
    since: Short = ""
    until: Short = ""
    text: Short = ""
    limit: Annotated[int, Field(ge=1, le=200)] = 50
    cursor: Short = ""


class AuditEventShape(TypedDict):
    """A change, and who made it.

    Attributes:
        id: aud_….
        at: RFC 3339.
        action: what was done, such as `domain.create`.
        target: what was changed: an id or a name.
        project_id: prj_…; null for what belongs to the team as a whole.
        actor_kind: `session`, `token`, `platform`, or `nobody` for who was not signed in.
        actor_id: acc_…, tok_… of a project's token, or the name of a service.
        actor_name: a person's address; the name of a token or service.
        credential_id: ses_… or tok_…; null for the platform.
        address: the client's; null when nobody outside asked.
        request_id: joins it with logs; null when there was no request.
        before: the changed fields as they were; empty for what was made.
        after: the changed fields as they are; empty for what was deleted. Secrets are named, never shown.
    """

    id: str
    at: str
    action: str
    target: str
    project_id: str | None
    actor_kind: str
    actor_id: str
    actor_name: str
    credential_id: str | None
    address: str | None
    request_id: str | None
    before: Json
    after: Json


class AuditList(TypedDict):
    """Records.

    Attributes:
        events: newest first.
        next_cursor: for the page behind this one; null on the last one.
    """

    events: list[AuditEventShape]
    next_cursor: str | None


def request(team_id: str, query: AuditQuery) -> audit_pb2.ListAuditEventsRequest:
    """As auth is asked."""
    return audit_pb2.ListAuditEventsRequest(
        team_id=team_id,
        project_id=query.project,
        actor=query.actor,
        action=query.action,
        target=query.target,
        since=query.since,
        until=query.until,
        text=query.text,
        limit=query.limit,
        cursor=query.cursor,
    )


def event(message: audit_pb2.AuditEvent) -> AuditEventShape:
    """A record as the API shows it."""
    return {
        "id": message.id,
        "at": message.at,
        "action": message.action,
        "target": message.target,
        "project_id": message.project_id or None,
        "actor_kind": message.actor_kind,
        "actor_id": message.actor_id,
        "actor_name": message.actor_name,
        "credential_id": message.credential_id or None,
        "address": message.address or None,
        "request_id": message.request_id or None,
        "before": orjson.loads(message.before),
        "after": orjson.loads(message.after),
    }
