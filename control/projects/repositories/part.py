"""Everything about repositories and webhooks that lives as long as the process, put together."""

from __future__ import annotations

from control.projects.github.access import GitHubAccess
from control.projects.github.reporter import Reporter
from control.projects.github.tokens import Tokens
from control.projects.previews.service import PreviewLimits
from control.projects.repositories.server import RepositoriesServer
from control.projects.repositories.service import Links
from control.projects.settings import ProjectsSettings
from control.projects.webhooks.inbox import Inbox
from control.projects.webhooks.process import Processor
from control.projects.webhooks.server import WebhooksServer
from control.projects.webhooks.worker import Worker
from kernel.database import Database
from kernel.rpc import RpcServer
from kernel.sealing import Sealer
from proto.projects.v1.repositories_pb2_grpc import add_RepositoriesServicer_to_server
from proto.projects.v1.webhooks_pb2_grpc import add_WebhooksServicer_to_server


class RepositoryPart:
    """Links, the queue of webhooks, and what GitHub is told."""

    def __init__(self, database: Database, sealer: Sealer, limits: PreviewLimits, settings: ProjectsSettings) -> None:
        links, app = Links(database, sealer), settings.github
        self.access = GitHubAccess.of(app, sealer) if app is not None else None
        self._reporter: Reporter | None = None
        if self.access is not None:
            self._reporter = Reporter(database, self.access.github, self.access.tokens, settings.webhook_days)
        processor = Processor(limits, self.access.tokens.forget if self.access is not None else _nothing)
        self._worker = Worker(database, processor.apply, settings.webhook_days)
        secret = app.webhook_secret if app is not None else ""
        self._inbox = Inbox(database, links, secret, settings.webhook_queue, self._worker.wake)
        self._server = RepositoriesServer(
            database, links, self.access, private=settings.allow_private_sources, wake=self._worker.wake
        )

    @property
    def tokens(self) -> Tokens | None:
        """Of the GitHub App's installations; None when there is no App."""
        return self.access.tokens if self.access is not None else None

    def serve(self, server: RpcServer) -> None:
        """Adds the services."""
        server.add(add_RepositoriesServicer_to_server, self._server)
        server.add(add_WebhooksServicer_to_server, WebhooksServer(self._inbox))

    def start(self) -> None:
        """Begins to work in the background."""
        self._worker.start()
        if self._reporter is not None:
            self._reporter.start()

    async def stop(self) -> None:
        """Stops; what is under way is taken up again by the next process."""
        await self._worker.stop()
        if self._reporter is not None:
            await self._reporter.stop()
        if self.access is not None:
            await self.access.github.close()


def _nothing(_: int) -> None:
    """There are no tokens to forget."""
