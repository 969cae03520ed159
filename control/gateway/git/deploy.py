"""B1: what becomes of a push. A branch, or refs/deploy/<environment>, becomes a deployment, and the push waits for it.

The production branch is deployed to production, every other one to a preview of its own, which goes with the branch.

A branch always names what it last brought live: it moves when its deployment is LIVE and stays where it is when that
fails, so pushing the same commit again builds again. The commit itself is kept under refs/deployments (or refs/uploads
for `shipoff deploy`, which moves no branch) from before the deployment is asked for.

The gateway moves the branch itself, and not git receive-pack through the hook's `option fall-through`: it must move
too when the person who pushed pressed Ctrl-C, and when another push went live while this one waited.
"""

from __future__ import annotations

import asyncio
import logging
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

import orjson

from control.gateway.clients import Clients
from control.gateway.git import story
from control.gateway.git.access import Grant, renew
from control.gateway.git.command import Git
from control.gateway.git.config import DEPLOY, DEPLOYMENTS, UPLOADS
from control.gateway.git.narrate import Narrator
from control.gateway.identity import as_platform
from control.gateway.live.watch import Step
from kernel import ids
from kernel.deployments import State
from kernel.errors import ShipoffError
from proto.projects.v1 import projects_pb2

log = logging.getLogger(__name__)

PRODUCTION: Final = "production"
PREVIEW: Final = "preview/"
HEADS: Final = "refs/heads/"
# refs/deploy/canary/5,25,50 or …/60: to production as a canary, in these steps (per cent), of so many seconds each
_CANARY: Final = re.compile(r"canary/(?P<steps>[0-9]{1,2}(?:,[0-9]{1,2}){0,19})(?:/(?P<step_s>[0-9]{1,5}))?")


@dataclass(frozen=True, slots=True)
class Command:
    """One ref of a push: what it names, and what it is to name; an id of zeros stands for nothing."""

    old: str
    new: str
    ref: str

    @property
    def deletes(self) -> bool:
        """Whether the ref is to go."""
        return not self.new.strip("0")


@dataclass(frozen=True, slots=True)
class Target:
    """Where a commit is deployed; `canary` is the JSON of a plan, "" for none."""

    environment: str
    canary: str = ""


@dataclass(frozen=True, slots=True)
class Push:
    """A push that was admitted."""

    grant: Grant
    repository: Path


class Speaker(Protocol):
    """Who hears of it: the person (`say`) and git (`report`)."""

    async def say(self, text: str) -> None:
        """A line for the person who pushes."""

    async def report(self, line: str) -> None:
        """A line for git."""


class Deployer:
    """Decides on each ref of a push.

    Args:
        clients: of the other services.
        git: to keep commits and move branches.
        narrator: tells the person how the deployment gets on.
        wait_s: how long a push waits for its deployment.
    """

    def __init__(self, clients: Clients, git: Git, narrator: Narrator, wait_s: float) -> None:
        self._clients, self._git, self._narrator, self._wait_s = clients, git, narrator, wait_s

    async def run(self, push: Push, commands: list[Command], speaker: Speaker) -> None:
        """Answers every command; those that wait for a deployment come last."""
        production = push.grant.project.production_branch
        for command in commands:
            target = target_of(command.ref, production)
            if target is None:
                await speaker.report(f"ng {command.ref} there is no such environment; push {DEPLOY}/{PRODUCTION}")
            elif command.deletes and target.environment != PRODUCTION:
                await self._end_preview(push, command, target.environment, speaker)
            else:
                verdict = await self._verdict(push, command, target, speaker)
                await speaker.report(f"ng {command.ref} {verdict}" if verdict else f"ok {command.ref}")

    async def _end_preview(self, push: Push, command: Command, environment: str, speaker: Speaker) -> None:
        """A branch that goes takes its preview with it; git removes the ref."""
        wanted = projects_pb2.DeletePreviewRequest(project_id=push.grant.project.id, environment=environment)
        try:
            await renew(self._clients, push.grant)
            await self._clients.projects.DeletePreview(wanted)
            await speaker.say(f"{environment} is taken down")
        except ShipoffError as error:
            if error.code != "PREVIEW_NOT_FOUND":  # there was none
                log.warning("%s stays until it expires: %s", environment, error)
        await speaker.report(f"ok {command.ref}")
        await speaker.report("option fall-through")

    async def _verdict(self, push: Push, command: Command, target: Target, speaker: Speaker) -> str:
        """Why the ref is refused, or "" when its deployment is live."""
        if command.deletes:
            return "the production branch cannot be deleted"
        try:
            async with asyncio.timeout(self._wait_s):
                await renew(self._clients, push.grant)
                deployment = await self._request(push, command, target)
                with as_platform():  # a build may take longer than a passport lasts
                    step = await self._narrator.narrate(push.grant.project, deployment, speaker.say)
                return await self._conclude(push, command, deployment, step)
        except TimeoutError:
            for line in story.out_of_time(push.grant.project.name, self._wait_s):
                await speaker.say(line)
            return "no answer in time"
        except ShipoffError as error:
            log.warning("a push to %s ends without a deployment: %s", push.grant.project.name, error)
            for line in story.refused(error):
                await speaker.say(line)
            return f"deployment failed: {error.code}"

    async def _request(self, push: Push, command: Command, target: Target) -> projects_pb2.Deployment:
        """Keeps the commit, then asks for its deployment."""
        uploaded = command.ref.startswith(DEPLOY)
        deployment_id = ids.new("dep")
        ref = f"{UPLOADS if uploaded else DEPLOYMENTS}/{deployment_id}"
        # `^{commit}` refuses what is no commit; the ref keeps it from being lost and lets it be fetched
        subject, _ = await asyncio.gather(
            self._git.run(push.repository, "log", "-1", "--format=%s", f"{command.new}^{{commit}}"),
            self._git.run(push.repository, "update-ref", ref, command.new),
        )
        request = projects_pb2.CreateDeploymentRequest(
            deployment_id=deployment_id,
            project_id=push.grant.project.id,
            environment=target.environment,
            canary=target.canary,
            commit=command.new,
            ref=ref,
            message=subject[:1000],
            actor_id=push.grant.who.actor_id,
        )
        return await self._clients.projects.CreateDeployment(request)

    async def _conclude(self, push: Push, command: Command, deployment: projects_pb2.Deployment, step: Step) -> str:
        if step.state not in (State.LIVE, State.INACTIVE):  # INACTIVE was live, and something newer is by now
            return story.verdict(step)
        if step.state is State.LIVE and deployment.ref.startswith(DEPLOYMENTS):
            await self._git.run(push.repository, "update-ref", command.ref, deployment.commit)
        return ""


def target_of(ref: str, production_branch: str) -> Target | None:
    """Where a push of a ref is deployed, and how; None for a ref that names no environment.

    Tags and other refs never come here: git's own receive-pack handles them.
    """
    if ref.startswith(HEADS):
        branch = ref.removeprefix(HEADS)
        return Target(PRODUCTION if branch == production_branch else f"{PREVIEW}{branch}")
    named = ref.removeprefix(f"{DEPLOY}/")
    if match := _CANARY.fullmatch(named):
        steps, step_s = [int(step) for step in match["steps"].split(",")], match["step_s"]
        plan = {"steps": steps, **({"step_s": int(step_s)} if step_s else {})}
        return Target(PRODUCTION, orjson.dumps(plan).decode())
    if named == PRODUCTION or (named.startswith(PREVIEW) and named != PREVIEW):
        return Target(named)
    return None
