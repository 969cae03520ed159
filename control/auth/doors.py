"""Every gRPC service of auth, made of what the process has opened."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from control.auth.audit.server import AuditServer
from control.auth.invitations.server import InvitationsServer
from control.auth.invitations.service import Invitations
from control.auth.keys.service import Keys
from control.auth.limiting.service import Limiter
from control.auth.limits import Limits
from control.auth.mail.server import MailServer
from control.auth.mail.service import Mails
from control.auth.members.server import MembersServer
from control.auth.members.service import Members
from control.auth.owned import Owned
from control.auth.roles.server import ProjectMembersServer
from control.auth.roles.service import ProjectRoles
from control.auth.server import AuthServer
from control.auth.teams.server import TeamsServer
from control.auth.teams.service import Teams
from control.auth.tokens.server import TokensServer
from control.auth.tokens.service import Tokens
from kernel.database import Database
from proto.auth.v1.audit_pb2_grpc import add_AuditServicer_to_server
from proto.auth.v1.auth_pb2_grpc import add_AuthServicer_to_server
from proto.auth.v1.invitations_pb2_grpc import add_InvitationsServicer_to_server
from proto.auth.v1.mail_pb2_grpc import add_MailServicer_to_server
from proto.auth.v1.members_pb2_grpc import add_MembersServicer_to_server, add_ProjectMembersServicer_to_server
from proto.auth.v1.teams_pb2_grpc import add_TeamsServicer_to_server
from proto.auth.v1.tokens_pb2_grpc import add_TokensServicer_to_server

Door = tuple[Callable[[Any, Any], None], object]


def doors(
    database: Database, keys: Keys, owned: Owned, mails: Mails, limiter: Limiter, limits: Limits
) -> Iterator[Door]:
    """Each service with the function that adds it to a server."""
    tokens = Tokens(database, owned, limits)
    members = Members(database)
    yield add_AuthServicer_to_server, AuthServer(database, keys, tokens)
    yield add_AuditServicer_to_server, AuditServer(database)
    yield add_TeamsServicer_to_server, TeamsServer(Teams(database, owned, limits), members)
    yield add_MembersServicer_to_server, MembersServer(members)
    yield add_ProjectMembersServicer_to_server, ProjectMembersServer(ProjectRoles(database, owned, limits))
    invitations = Invitations(database, owned, mails, limiter, limits)
    yield add_InvitationsServicer_to_server, InvitationsServer(invitations)
    yield add_TokensServicer_to_server, TokensServer(tokens)
    yield add_MailServicer_to_server, MailServer(database, mails)
