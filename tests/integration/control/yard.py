"""A projects service whose webhooks are put in and worked off by hand: no network but GitHub's, no background."""

from __future__ import annotations

import base64
import hmac
import secrets
from typing import Any

import orjson

from control.projects.github.access import GitHubAccess
from control.projects.github.reporter import Reporter
from control.projects.previews.service import PreviewLimits
from control.projects.repositories.installations import Claim, claim
from control.projects.repositories.server import RepositoriesServer
from control.projects.repositories.service import Links
from control.projects.server import ProjectsServer
from control.projects.webhooks.inbox import Inbox, Taken
from control.projects.webhooks.process import Processor
from control.projects.webhooks.worker import Worker
from kernel.database import Database
from kernel.events import DeploymentRequested, EnvironmentDeleted, decode
from kernel.sealing import Sealer
from proto.projects.v1 import projects_pb2
from proto.projects.v1 import repositories_pb2 as pb
from tests.integration.control.github import GitHubServer

NO_CONTEXT: Any = None
TEAM, OTHER_TEAM = "tem_" + "1" * 32, "tem_" + "2" * 32
OLD, NEW = "a" * 40, "b" * 40


class Yard:
    """What the tests of webhooks work with."""

    def __init__(self, database: Database, github: GitHubServer, queued_most: int = 100) -> None:
        self.database, self.github = database, github
        self.sealer = Sealer(base64.b64encode(secrets.token_bytes(32)).decode())
        self.access = GitHubAccess.of(github.app, self.sealer)
        self.store, limits = Links(database, self.sealer), PreviewLimits(3, 7)
        self.links = RepositoriesServer(database, self.store, self.access, private=True, wake=lambda: None)
        self.projects = ProjectsServer(database, self.sealer, limits, self.access.tokens)
        self.inbox = Inbox(database, self.store, github.app.webhook_secret, queued_most, lambda: None)
        self.processor = Processor(limits, self.access.tokens.forget)
        self.worker = Worker(database, self.processor.apply, 14)
        self.reporter = Reporter(database, self.access.github, self.access.tokens, 14)
        self.installation = github.installed(shop=11, site=12)

    async def close(self) -> None:
        await self.access.github.close()

    async def project(self, name: str = "shop", team: str = TEAM) -> projects_pb2.Project:
        wanted = projects_pb2.CreateProjectRequest(name=name, team_id=team)
        return await self.projects.CreateProject(wanted, NO_CONTEXT)

    async def on_github(
        self, name: str = "shop", repository: str = "octo-org/shop", **fields: Any
    ) -> projects_pb2.Project:
        """A project that is linked to a repository of the installation, which is claimed."""
        made = await self.project(name)
        async with self.database.transaction() as tx:
            await claim(tx, Claim(self.installation.id, "octo-org", "Organization", False), TEAM, "acc_ada")
        wanted = pb.PutLinkRequest(
            project_id=made.id, provider="github", installation_id=self.installation.id, full_name=repository, **fields
        )
        await self.links.PutLink(wanted, NO_CONTEXT)
        return made

    async def elsewhere(
        self, provider: str, name: str = "shop", **fields: Any
    ) -> tuple[projects_pb2.Project, pb.LinkMade]:
        """A project that is linked to a repository of another host."""
        made = await self.project(name)
        url = f"https://{provider}.example.com/mike/shop.git"
        wanted = pb.PutLinkRequest(project_id=made.id, provider=provider, clone_url=url, **fields)
        return made, await self.links.PutLink(wanted, NO_CONTEXT)

    async def send(self, event: str, payload: dict[str, Any] | bytes, delivery: str = "", **headers: str) -> Taken:
        """A delivery of the App's, signed."""
        body = payload if isinstance(payload, bytes) else orjson.dumps(payload)
        made = hmac.digest(self.github.app.webhook_secret.encode(), body, "sha256").hex()
        shown = {
            "x-github-event": event,
            "x-github-delivery": delivery or secrets.token_hex(16),
            "x-hub-signature-256": f"sha256={made}",
            **headers,
        }
        return await self.inbox.accept("github", "", shown, body)

    def repository(self, name: str = "shop", number: int = 11) -> dict[str, Any]:
        clone = f"{self.github.url}/git/octo-org/{name}.git"
        return {"id": number, "full_name": f"octo-org/{name}", "clone_url": clone}

    def push(self, branch: str = "main", after: str = NEW, **fields: Any) -> dict[str, Any]:
        """A push as GitHub tells it, with the fields that are read; another body each time."""
        commit = {"id": after, "message": "Say more", "added": [], "removed": [], "modified": ["apps/web/x.ts"]}
        gone = after == "0" * 40
        return {
            "ref": f"refs/heads/{branch}", "before": OLD, "after": after, "created": False, "forced": False,
            "deleted": gone, "commits": [] if gone else [commit], "head_commit": None if gone else commit,
            "repository": self.repository() | {"pushed_at": secrets.randbits(40)},
            "installation": {"id": self.installation.id},
            **fields,
        }  # fmt: skip

    def pull(self, action: str = "opened", number: int = 7, sha: str = NEW, fork: bool = False) -> dict[str, Any]:
        """A pull request as GitHub tells it."""
        head = {"sha": sha, "ref": "feature", "repo": {"id": 99 if fork else 11}}
        pull = {"title": "Better", "head": head, "base": {"repo": {"id": 11}}, "updated_at": secrets.token_hex(4)}
        return {
            "action": action, "number": number, "pull_request": pull, "repository": self.repository(),
            "installation": {"id": self.installation.id},
        }  # fmt: skip

    async def work(self) -> None:
        """Works everything off that is due."""
        while await self.worker.turn():
            pass

    async def report(self) -> None:
        """Tells GitHub everything that is due."""
        while await self.reporter.turn():
            pass

    async def deployments(self, project_id: str) -> list[tuple[str, str, str]]:
        """Environment, commit and ref of a project's, oldest first."""
        rows = await self.database.fetch(
            "select environment, commit_id, ref from deployments where project_id = $1 order by arrival", project_id
        )
        return [(row["environment"], row["commit_id"], row["ref"]) for row in rows]

    async def told(self) -> list[DeploymentRequested | EnvironmentDeleted]:
        """What the orchestrator is told, in order."""
        rows = await self.database.fetch("select envelope from outbox where stream = 'deployments' order by position")
        found = [decode(row["envelope"]).data for row in rows]
        return [one for one in found if isinstance(one, DeploymentRequested | EnvironmentDeleted)]

    async def seen(self, project_id: str) -> list[pb.Delivery]:
        """The project's deliveries, newest first."""
        answer = await self.links.ListDeliveries(pb.ListDeliveriesRequest(project_id=project_id), NO_CONTEXT)
        return list(answer.deliveries)

    async def outcome(self, project_id: str) -> pb.Outcome:
        """What the newest delivery did in a project."""
        (one,) = (await self.seen(project_id))[0].outcomes
        return one
