"""What a push or a pull request means for one project. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from control.projects.webhooks.events import PullRequest, Push
from control.projects.webhooks.watch import touches

PRODUCTION: Final = "production"
PREVIEW: Final = "preview/"
Previews = Literal["all", "branches", "pull_requests", "none"]
SKIP: Final = re.compile(r"\[(?:skip deploy|deploy skip)\]", re.IGNORECASE)
_PULL: Final = re.compile(r"pr-[0-9]+")


@dataclass(frozen=True, slots=True)
class Rules:
    """What a link says.

    Attributes:
        watch_paths: patterns of `watch.py`.
        previews: what gets one.
        fork_previews: whether pull requests from forks do; their code runs with the project's env vars.
    """

    production_branch: str
    watch_paths: tuple[str, ...]
    previews: str
    fork_previews: bool


@dataclass(frozen=True, slots=True)
class Deploy:
    """A commit is to be built and released in an environment."""

    environment: str
    commit: str
    ref: str
    message: str


@dataclass(frozen=True, slots=True)
class End:
    """A preview is over."""

    environment: str


@dataclass(frozen=True, slots=True)
class Skip:
    """Nothing happens, for this reason."""

    reason: str


Decision: TypeAlias = Deploy | End | Skip


def decide(rules: Rules, event: Push | PullRequest) -> Decision:
    """What happens in the project."""
    return _push(rules, event) if isinstance(event, Push) else _pull_request(rules, event)


def pull_environment(number: int) -> str:
    """The environment of a pull request."""
    return f"{PREVIEW}pr-{number}"


def _push(rules: Rules, push: Push) -> Decision:
    production = push.branch == rules.production_branch
    if not production and _PULL.fullmatch(push.branch):
        return Skip(f"the environment of a branch {push.branch!r} is kept for the pull request of that number")
    environment = PRODUCTION if production else PREVIEW + push.branch
    if not push.commit:
        return Skip("production stays when its branch goes") if production else End(environment)
    if not production and rules.previews not in ("all", "branches"):
        return Skip("branches get no previews here")
    if SKIP.search(push.message):
        return Skip("the commit's message asks for no deployment")
    if not touches(push.paths, rules.watch_paths):
        return Skip("the push touches no path that the project watches")
    return Deploy(environment, push.commit, f"refs/heads/{push.branch}", push.message)


def _pull_request(rules: Rules, pull: PullRequest) -> Decision:
    environment = pull_environment(pull.number)
    if pull.closed:
        return End(environment)
    if rules.previews not in ("all", "pull_requests"):
        return Skip("pull requests get no previews here")
    if pull.from_fork and not rules.fork_previews:
        return Skip("pull requests from forks get no previews here: their code would run with the project's env vars")
    if not pull.commit:
        return Skip("the payload does not have the whole commit id; the branch has a preview of its own")
    if SKIP.search(pull.title):
        return Skip("the pull request's title asks for no deployment")
    return Deploy(environment, pull.commit, pull.ref, pull.title)
