"""The gRPC face of the audit log (proto/auth/v1/audit.proto)."""

# ruff: noqa: N802 - the methods have the names that the .proto gives them
from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from control.auth.audit.search import AUDIT_QUERY_INVALID, PAGE, Query, search
from kernel.authority import TEAM_NOT_FOUND, Permission, Resource, require
from kernel.database import Database
from kernel.database.pool import Row
from proto.auth.v1 import audit_pb2 as pb
from proto.auth.v1.audit_pb2_grpc import AuditServicer


class AuditServer(AuditServicer):
    """Answers the calls of audit.proto."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def ListAuditEvents(self, request: pb.ListAuditEventsRequest, context: Any) -> pb.ListAuditEventsResponse:
        """For those who decide about the team.

        The matrix has no permission of the log's own; TEAM:UPDATE is what owners and admins have and developers have
        not, and on the team alone: a record of one project may tell of another's people.
        """
        team = request.team_id
        require(Permission.TEAM_UPDATE, Resource(team), hidden=TEAM_NOT_FOUND(f"there is no team {team[:80]!r}"))
        found = await search(self._database, team, _query(request))
        return pb.ListAuditEventsResponse(events=[_message(row) for row in found.events], next_cursor=found.next_cursor)


def _query(request: pb.ListAuditEventsRequest) -> Query:
    return Query(
        project_id=request.project_id,
        actor=request.actor,
        action=request.action,
        target=request.target,
        since=_moment("since", request.since),
        until=_moment("until", request.until),
        text=request.text,
        cursor=request.cursor,
        limit=request.limit or PAGE,
    )


def _moment(name: str, text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text) if text else None
    except ValueError:
        moment = None
    if text and (moment is None or moment.tzinfo is None):
        raise AUDIT_QUERY_INVALID(f"{name} is a time with its zone, such as 2026-01-31T12:00:00Z")
    return moment


def _message(row: Row) -> pb.AuditEvent:
    plain = ("id", "team_id", "project_id", "action", "target", "actor_kind", "actor_id", "actor_name")
    return pb.AuditEvent(
        at=row["at"].isoformat(timespec="milliseconds"),
        before=json.dumps(row["before"]),
        after=json.dumps(row["after"]),
        **{name: row[name] for name in (*plain, "credential_id", "address", "request_id")},
    )
