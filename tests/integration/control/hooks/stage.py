"""A stage for hooks: the services' parts on a real database, and auth's part of taking mails."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from control.projects.deployments.lifecycle import Lifecycle
from control.projects.hooks.mail import MailSender
from control.projects.hooks.rules import TargetRules
from control.projects.hooks.send import HttpSender
from control.projects.hooks.server import HooksServer
from control.projects.hooks.worker import HookWorker
from control.projects.owners import Owners
from control.projects.server import ProjectsServer
from kernel import ids
from kernel.authority import Kind, Principal
from kernel.database import Database
from kernel.errors import INVALID_ARGUMENT, ShipoffError
from kernel.events import DeploymentStateChanged, Envelope
from kernel.net_guard import NetGuard
from kernel.sealing import Sealer
from proto.auth.v1.mail_pb2 import SendMailRequest, SendMailResponse
from proto.auth.v1.mail_pb2_grpc import MailServicer
from proto.projects.v1 import hooks_pb2 as pb
from proto.projects.v1 import projects_pb2

NO_CONTEXT: Any = None
TEAM = "tem_" + "a" * 32
KEY = base64.b64encode(bytes(range(32))).decode()
ANY_PORT = TargetRules(insecure=True, ports=range(1, 65536))
LOOPBACK = NetGuard(["127.0.0.0/8"])


class Post(MailServicer):
    """Auth's part: takes mails of members."""

    def __init__(self) -> None:
        self.mails: dict[str, SendMailRequest] = {}
        self.down = False

    async def SendMail(self, request: SendMailRequest, context: Any) -> SendMailResponse:  # noqa: N802
        if self.down or request.to == "stranger@example.org":
            raise INVALID_ARGUMENT("no member of the team")
        self.mails[request.id] = request
        return SendMailResponse()


@dataclass
class Stage:
    """The parts, with a worker that is started by the tests that need one."""

    database: Database
    url: str
    projects: ProjectsServer
    hooks: HooksServer
    post: Post
    mail: MailSender
    owners: Owners
    project: projects_pb2.Project
    stops: list[Callable[[], Awaitable[None]]] = field(default_factory=list)

    def work(self, *, connect_s: float = 1.0, total_s: float = 1.5, guard: NetGuard = LOOPBACK) -> HookWorker:
        """A worker that begins."""
        http = HttpSender(guard, connect_s=connect_s, total_s=total_s)
        working = HookWorker(self.database, Sealer(KEY), http, self.mail)
        working.start()
        self.stops += [working.stop, http.close]
        return working

    async def hook(self, target: str, kind: str = "webhook", team: bool = False, **fields: Any) -> pb.Hook:
        owner = pb.HookOwner(team_id=TEAM) if team else pb.HookOwner(project_id=self.project.id)
        request = pb.CreateHookRequest(owner=owner, kind=kind, target=target, **fields)
        return await self.hooks.CreateHook(request, NO_CONTEXT)

    async def deploy(self, environment: str = "production") -> str:
        """Asks for a deployment."""
        request = projects_pb2.CreateDeploymentRequest(
            deployment_id=ids.new("dep"), project_id=self.project.id, commit="a" * 40, ref="refs/heads/main",
            environment=environment,
        )  # fmt: skip
        return (await self.projects.CreateDeployment(request, NO_CONTEXT)).id

    async def report(self, deployment_id: str, state: str, environment: str = "production", **said: Any) -> Envelope:
        """Plays the orchestrator."""
        data = DeploymentStateChanged(deployment_id, self.project.id, environment, state, **said)
        envelope = Envelope(data=data, key=f"{self.project.id}/{environment}")
        await Lifecycle(self.database).apply(envelope)
        return envelope

    async def deliveries(self, hook: pb.Hook) -> list[pb.HookDelivery]:
        """Of a hook, the oldest first."""
        found = await self.hooks.ListDeliveries(pb.ListHookDeliveriesRequest(hook=ref(hook), limit=100), NO_CONTEXT)
        return list(reversed(found.deliveries))

    async def tried(self, hook: pb.Hook, attempts: int = 1) -> pb.HookDelivery:
        """The first delivery of a hook, once it was tried so often, whole."""
        async with asyncio.timeout(20):
            while True:
                found = await self.deliveries(hook)
                if found and found[0].attempts >= attempts:
                    return await self.hooks.GetDelivery(
                        pb.HookDeliveryRef(hook=ref(hook), delivery_id=found[0].id), NO_CONTEXT
                    )
                await asyncio.sleep(0.02)


def ref(hook: pb.Hook) -> pb.HookRef:
    owner = pb.HookOwner(project_id=hook.project_id) if hook.project_id else pb.HookOwner(team_id=hook.team_id)
    return pb.HookRef(owner=owner, hook_id=hook.id)


def member(role: str, team: str = TEAM) -> Principal:
    return Principal(Kind.SESSION, account_id="acc_b", teams={team: role})


async def refused(work: Awaitable[Any]) -> str:
    with pytest.raises(ShipoffError) as raised:
        await work
    return raised.value.code
