"""What becomes of a delivery: deployments, ended previews, and links that follow their repository."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from control.projects.deployments.service import Request, add
from control.projects.github.reports import note_deployment
from control.projects.previews.service import PREVIEW_NOT_FOUND, PreviewLimits, end
from control.projects.repositories.service import Link, link_of
from control.projects.webhooks.decide import Deploy, End, Rules, decide
from control.projects.webhooks.events import (
    Event,
    Ignored,
    InstallationChanged,
    PullRequest,
    Push,
    RepositoriesChanged,
    Repository,
    RepositoryChanged,
)
from control.projects.webhooks.outcome import Outcome
from kernel import ids
from kernel.database import load_queries
from kernel.database.pool import Row, Transaction
from kernel.errors import ShipoffError

SQL: Final = load_queries("control.projects.repositories")
GONE: Final = "the repository is deleted"
UNINSTALLED: Final = "the GitHub App is uninstalled; install it again and claim it for the team"
WITHDRAWN: Final = "the GitHub App has no access to the repository any more"


class Processor:
    """Applies deliveries.

    Args:
        limits: of previews.
        forget: drops the tokens of an installation.
    """

    def __init__(self, limits: PreviewLimits, forget: Callable[[int], None]) -> None:
        self._limits, self._forget = limits, forget

    async def apply(self, tx: Transaction, row: Row, events: Sequence[Event]) -> list[Outcome]:
        """Makes the effects of a delivery in the caller's transaction.

        Raises:
            ShipoffError: a fault of the platform, after which it is tried again; what a project refuses is an outcome.
        """
        only, outcomes = row["only_project"], list[Outcome]()
        for event in events:
            match event:
                case Push() | PullRequest():
                    links = [one for one in await _links(tx, row["link_id"], event) if only in ("", one.project_id)]
                    outcomes.extend([await self._in_project(tx, link, event) for link in links])
                case Ignored(reason):
                    outcomes.append(Outcome("", "skipped", reason=reason))
                case _ if not only:
                    outcomes.append(await self._follow(tx, event))
        return outcomes

    async def _in_project(self, tx: Transaction, link: Link, event: Push | PullRequest) -> Outcome:
        if link.detached or link.suspended:
            return Outcome(link.project_id, "skipped", reason=link.detached or "the installation is suspended")
        if link.provider != "github" and not await _same(tx, link, event.repository):
            return Outcome(link.project_id, "skipped", reason="the delivery is of another repository")
        rules = Rules(link.production_branch, link.watch_paths, link.previews, link.fork_previews)
        match decide(rules, event):
            case Deploy() as wanted:
                return await self._deploy(tx, link, wanted)
            case End(environment):
                return await self._end(tx, link, environment)
            case skip:
                return Outcome(link.project_id, "skipped", reason=skip.reason)

    async def _deploy(self, tx: Transaction, link: Link, wanted: Deploy) -> Outcome:
        deployment_id = ids.new("dep")
        request = Request(
            deployment_id,
            link.project_id,
            wanted.environment,
            wanted.commit,
            wanted.ref,
            wanted.message,
            actor_id=link.id,
        )
        try:
            async with tx.transaction():  # a refusal takes back what this project wrote, and nothing of the others'
                await add(tx, request, self._limits)
                await note_deployment(tx, deployment_id)
        except ShipoffError as error:
            if error.source != "client":
                raise
            return Outcome(link.project_id, "refused", wanted.environment, reason=error.detail, code=error.code)
        return Outcome(link.project_id, "deployed", wanted.environment, deployment_id)

    async def _end(self, tx: Transaction, link: Link, environment: str) -> Outcome:
        try:
            async with tx.transaction():
                await end(tx, link.project_id, environment)
        except ShipoffError as error:
            if error.code != PREVIEW_NOT_FOUND.code:
                raise
            return Outcome(link.project_id, "skipped", environment, reason="there is no such preview")
        return Outcome(link.project_id, "ended", environment)

    async def _follow(
        self, tx: Transaction, event: InstallationChanged | RepositoriesChanged | RepositoryChanged
    ) -> Outcome:
        self._forget(event.installation_id)
        match event:
            case InstallationChanged(installation_id, "deleted"):
                await tx.execute(SQL["detach"], installation_id, None, UNINSTALLED)
                await tx.execute(SQL["forget_installation"], installation_id)
            case InstallationChanged(installation_id, ("suspend" | "unsuspend") as action):
                await tx.execute(SQL["suspend"], installation_id, action == "suspend")
            case RepositoriesChanged(installation_id, added, removed):
                await tx.execute(SQL["detach"], installation_id, list(removed), WITHDRAWN)
                await tx.execute(SQL["attach"], installation_id, list(added))
            case RepositoryChanged(repository, "deleted", installation_id):
                await tx.execute(SQL["detach"], installation_id, [repository.id], GONE)
            case RepositoryChanged(repository, "renamed" | "transferred", installation_id):
                await tx.execute(
                    SQL["rename"], installation_id, repository.id, repository.full_name, repository.clone_url
                )
        return Outcome(
            "", "noted", reason=f"{type(event).__name__}: {event.action}" if hasattr(event, "action") else ""
        )


async def _links(tx: Transaction, link_id: str | None, event: Push | PullRequest) -> list[Link]:
    """In the order of their projects: every worker locks them in the same one."""
    if link_id is not None:
        rows = await tx.fetch(SQL["by_id_for_event"], link_id)
    else:
        rows = await tx.fetch(SQL["of_repository"], event.installation_id, event.repository.id)
    return [link_of(row) for row in rows]


async def _same(tx: Transaction, link: Link, repository: Repository) -> bool:
    """Whether a delivery is of the link's own repository (a group's webhook tells of all); learns its id and name."""
    if not repository.id:
        return True  # the generic webhook names none
    if link.repository_id:
        same = link.repository_id == repository.id
    else:
        same = link.full_name.casefold() == repository.full_name.casefold()
    if same:
        await tx.execute(SQL["learn"], link.id, repository.id, repository.full_name)
    return same
