"""What a stack needs once: databases and schemas, an owner, and examples to look at. Each is remembered when done."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Mapping
from hashlib import sha256
from typing import Any, Final

import orjson

from kernel.errors import ShipoffError
from stack import demo, runtimes
from stack.environment import inherited
from stack.logs import LogPump
from stack.plan import Blueprint, databases
from stack.prepare import fingerprint
from stack.services import MODULES, OWN_DATABASE
from stack.settings import StackSettings
from stack.state import State
from stack.step import run_step

DATABASES_S: Final = 120.0
OWNER_S: Final = 30.0
EXAMPLES_S: Final = 600.0
RUNTIMES_S: Final = 600.0

log = logging.getLogger(__name__)


class FirstRun:
    """The steps, in the order of a start.

    Args:
        state: remembers what was done.
        settings: the operator's.
        blueprint: addresses and secrets.
        logs: where the steps' own logs go.
        examples: whether examples are wanted.
    """

    def __init__(
        self, state: State, settings: StackSettings, blueprint: Blueprint, logs: LogPump, *, examples: bool
    ) -> None:
        self._state, self._settings, self._blueprint, self._logs = state, settings, blueprint, logs
        self._examples = examples and not state.fact("examples") and bool(demo.chosen())

    async def databases(self) -> None:
        """Makes and migrates the databases; skipped when they are our own server's and nothing is new.

        Raises:
            ShipoffError: STEP_FAILED.
        """
        plan, ours = self._blueprint.plan, self._blueprint.servers
        asked = databases(self._settings.prefix, plan, self._state.secrets())
        for one in asked:
            one["package"] = MODULES[one.pop("service")]
        text = orjson.dumps(asked).decode()
        digest = sha256((fingerprint(MODULES[name] for name in OWN_DATABASE) + text).encode()).hexdigest()
        if self._state.fact("databases") == digest and {"postgres", "seaweed"} <= ours.keys():
            return
        env = {
            **plan.s3,
            "SHIPOFF_PREPARE_ADMIN_URL": self._blueprint.admin_url,
            "SHIPOFF_PREPARE_DATABASES": text,
            "SHIPOFF_PREPARE_BUCKET": "" if "seaweed" in ours else "1",
        }
        async for done in self._step("stack.prepare", env, DATABASES_S):
            log.info("%s: %d migrations applied", done["package"], done["applied"])
        self._state.note("databases", digest)

    async def owner(self) -> dict[str, str]:
        """On the first run: the owner account; its "email" and "token", which is kept nowhere.

        Raises:
            ShipoffError: STEP_FAILED.
        """
        if self._state.fact("owner") and not self._examples:
            return {}
        env = {
            "SHIPOFF_AUTH_ADDRESS": f"127.0.0.1:{self._blueprint.plan.ports['auth']}",
            "SHIPOFF_SERVICE_TOKEN": self._blueprint.plan.service_token,
            "SHIPOFF_OWNER_EMAIL": self._settings.owner_email,
            "SHIPOFF_OWNER_TOKEN": "1" if self._examples else "",
        }
        made: dict[str, str] = {}
        async for made in self._step("stack.owner", env, OWNER_S):
            self._state.note("owner", made["email"])
        return made

    async def examples(self, owner: Mapping[str, str], say: Callable[[str], None]) -> dict[str, str]:
        """Deploys the examples; a failure is said and costs nothing else.

        Args:
            owner: what `owner` returned.
            say: gets lines for the operator.

        Returns:
            URL by project.
        """
        token = owner.get("token") or owner.get("demo_token")
        if not self._examples or not token:
            return {}
        plan = self._blueprint.plan
        env = {
            "SHIPOFF_DEMO_GATEWAY": plan.gateway_url,
            "SHIPOFF_DEMO_APPS_URL": plan.apps_url,
            "SHIPOFF_DEMO_TOKEN": token,
            "SHIPOFF_DEMO_NAMES": ",".join(demo.chosen()),
        }
        urls: dict[str, str] = {}
        failed = False
        try:
            async for event in self._step("stack.demo", env, EXAMPLES_S):
                if "url" in event:
                    urls[event["project"]] = event["url"]
                elif "say" in event:
                    say(event["say"])
                else:
                    failed = True
                    say(f"the example {event['failed']} could not be deployed: {event['why']}")
        except ShipoffError as error:
            failed = True
            say(f"the examples could not be deployed: {error}")
        if not failed:
            self._state.note("examples", "deployed")
        return dict(sorted(urls.items()))

    async def runtimes(self) -> None:
        """Fetches what apps may need and the machine lacks, when everybody has what they waited for."""
        if runtimes.has_php():
            return
        try:
            async for _ in self._step("stack.runtimes", {}, RUNTIMES_S):
                pass
        except ShipoffError as error:
            log.warning("no PHP for users' apps: %s", error)

    def _step(self, module: str, env: Mapping[str, str], within_s: float) -> AsyncIterator[dict[str, Any]]:
        return run_step(module, {**inherited(), **env}, self._state.directory, self._logs, within_s)
