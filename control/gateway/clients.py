"""The gateway's channels to the other services."""

from __future__ import annotations

from functools import partial
from typing import Self

from control.gateway.identity import as_platform
from control.gateway.settings import GatewaySettings
from kernel.authority import Border
from kernel.errors import ShipoffError
from kernel.rpc import RpcClient
from proto.auth.v1 import auth_pb2
from proto.auth.v1.accounts_pb2_grpc import AccountsStub
from proto.auth.v1.audit_pb2_grpc import AuditStub
from proto.auth.v1.auth_pb2_grpc import AuthStub
from proto.auth.v1.invitations_pb2_grpc import InvitationsStub
from proto.auth.v1.keys import fetch as fetch_keys
from proto.auth.v1.members_pb2_grpc import MembersStub, ProjectMembersStub
from proto.auth.v1.oauth_pb2_grpc import OAuthStub
from proto.auth.v1.sessions_pb2_grpc import SessionsStub
from proto.auth.v1.teams_pb2_grpc import TeamsStub
from proto.auth.v1.tokens_pb2_grpc import TokensStub
from proto.auth.v1.two_factor_pb2_grpc import TwoFactorStub
from proto.logsink.v1.logsink_pb2_grpc import LogsStub
from proto.orchestrator.v1.explain_pb2_grpc import ExplainStub
from proto.orchestrator.v1.orchestrator_pb2_grpc import OrchestratorStub
from proto.orchestrator.v1.running_pb2_grpc import RunningStub
from proto.projects.v1 import projects_pb2
from proto.projects.v1.domains_pb2_grpc import DomainsStub
from proto.projects.v1.env_pb2_grpc import EnvVarsStub
from proto.projects.v1.environments_pb2_grpc import EnvironmentsStub
from proto.projects.v1.hooks_pb2_grpc import HooksStub
from proto.projects.v1.limits_pb2_grpc import LimitsStub
from proto.projects.v1.projects_pb2_grpc import ProjectsStub
from proto.projects.v1.repositories_pb2_grpc import RepositoriesStub
from proto.projects.v1.webhooks_pb2_grpc import WebhooksStub

# A deployment's id is chosen by the caller, so sending the request twice makes one deployment.
REPEATABLE = frozenset({"CreateDeployment", "Redeploy", "Authenticate"})
PROBE_S = 2.0
PROBE = auth_pb2.AuthenticateRequest(credential="shp_")


class Clients:
    """One channel a service; they connect when first used. Calls are made for whoever identity.py says."""

    def __init__(self, settings: GatewaySettings) -> None:
        token = settings.service_token
        auth = RpcClient(settings.auth_address, token, idempotent=REPEATABLE, caller="")
        projects = RpcClient(settings.projects_address, token, idempotent=REPEATABLE, caller="")
        orchestrator = RpcClient(settings.orchestrator_address, token, caller="")
        logs = RpcClient(settings.logsink_address, token, caller="")
        self._channels = [auth, projects, orchestrator, logs]
        self.auth = auth.stub(AuthStub)
        self.accounts = auth.stub(AccountsStub)
        self.oauth = auth.stub(OAuthStub)
        self.sessions = auth.stub(SessionsStub)
        self.two_factor = auth.stub(TwoFactorStub)
        self.audit = auth.stub(AuditStub)
        self.invitations = auth.stub(InvitationsStub)
        self.members, self.project_members = auth.stub(MembersStub), auth.stub(ProjectMembersStub)
        self.teams = auth.stub(TeamsStub)
        self.tokens = auth.stub(TokensStub)
        self.border = Border(partial(fetch_keys, self.auth))
        self.projects = projects.stub(ProjectsStub)
        self.domains = projects.stub(DomainsStub)
        self.env = projects.stub(EnvVarsStub)
        self.environments = projects.stub(EnvironmentsStub)
        self.hooks = projects.stub(HooksStub)
        self.repositories = projects.stub(RepositoriesStub)
        self.webhooks = projects.stub(WebhooksStub)
        self.limits = projects.stub(LimitsStub)
        self.orchestrator = orchestrator.stub(OrchestratorStub)
        self.explain = orchestrator.stub(ExplainStub)
        self.running = orchestrator.stub(RunningStub)
        self.logs = logs.stub(LogsStub)

    async def missing(self) -> str:
        """Which service that every request needs does not answer, or ""."""
        try:
            with as_platform():
                await self._expect("TOKEN_INVALID", self.auth.Authenticate(PROBE, timeout=PROBE_S))
                project = projects_pb2.GetProjectRequest()
                await self._expect("PROJECT_NOT_FOUND", self.projects.GetProject(project, timeout=PROBE_S))
        except ShipoffError as error:
            return str(error)
        return ""

    @staticmethod
    async def _expect(code: str, call: object) -> None:
        try:
            await call  # type: ignore[misc]  # a call of a stub, awaited here so that its refusal is seen as an answer
        except ShipoffError as error:
            if error.code != code:
                raise

    async def close(self) -> None:
        """Closes all channels."""
        for channel in self._channels:
            await channel.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()
