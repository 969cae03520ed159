"""Somebody who changes an app over and over, whatever the platform suffers meanwhile."""

from __future__ import annotations

import random
from typing import Any

from tests.integration.orchestrator.faults.app import NAME, PATH, App, until

ENDED = ("LIVE", "FAILED", "CANCELED", "SUPERSEDED", "INACTIVE")


class Owner:
    """The changes; each returns when what it asked for is done.

    Args:
        order: whose numbers decide.
    """

    def __init__(self, app: App, order: random.Random) -> None:
        self._app, self._order = app, order
        self.changes = (self.deploy, self.deploy, self.roll_back, self.roll_back, self.try_a_canary, self.scale)

    def deploy(self) -> None:
        """Pushes a new version, some of which take a while to build or to listen."""
        app = self._app
        app.version += 1
        app.write(self._order.choice(("true", "sleep 1")), self._order.choice((0, 800)))
        known = app.newest()["id"]

        def pushed() -> bool:
            app.repository.push()  # what it says may be lost with the gateway's connection; the deployment is not
            return bool(app.newest()["id"] != known)

        until(pushed, "a push is not taken")
        self._is_live()
        assert app.text() == f"version {app.version}"

    def roll_back(self) -> None:
        """Brings back what served before."""
        self._ask({"kind": "rollback"})

    def try_a_canary(self) -> None:
        """The same, with half of the requests first."""
        self._ask({"kind": "rollback", "canary": {"steps": [50], "step_s": 1}})

    def scale(self) -> None:
        """One, two or three instances."""
        self._app.instances = self._order.randint(1, 3)
        self._accepted("scale", {"instances": self._app.instances})

    def _ask(self, wanted: dict[str, Any]) -> None:
        served = self._app.text()
        asked = self._accepted("deployments", wanted)
        self._is_live()
        assert asked > 1 or self._app.text() != served  # an answer that was lost may have meant that it was taken

    def _accepted(self, path: str, body: object) -> int:
        """Asks until it is taken; returns how often that was."""
        asked = 0

        def taken() -> bool:
            nonlocal asked
            asked += 1
            return self._app.rig.platform.call("POST", f"{PATH}/{path}", body)[0] < 300

        until(taken, f"{path} is not taken")
        return asked

    def _is_live(self) -> None:
        until(lambda: self._app.newest()["state"] in ENDED, "a deployment does not end", 120)
        newest = self._app.newest()
        assert newest["state"] == "LIVE", f"{NAME}: {newest}"
