"""What the platform talks to outside of itself: a GitHub with its App, and a name server, both on loopback."""

from __future__ import annotations

import asyncio
import hmac
import secrets
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from tests.integration.control.dns import Names, served
from tests.integration.control.github import GitHubServer

T = TypeVar("T")


class GitHubHost:
    """A GitHub in a thread of its own."""

    def __init__(self, root: Path) -> None:
        self.server = GitHubServer(root)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="github", daemon=True)

    def __enter__(self) -> GitHubHost:
        self._thread.start()
        self._run(self.server.__aenter__())
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._run(self.server.__aexit__())
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(10)

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    def settings(self) -> dict[str, str]:
        """Those of the platform that know the App."""
        app = self.server.app
        named = {
            "APP_ID": app.app_id,
            "PRIVATE_KEY": app.private_key,
            "WEBHOOK_SECRET": app.webhook_secret,
            "CLIENT_ID": app.client_id,
            "CLIENT_SECRET": app.client_secret,
            "SLUG": app.slug,
            "API_URL": app.api_url,
            "URL": app.web_url,
        }
        return {f"SHIPOFF_PROJECTS_GITHUB_{name}": value for name, value in named.items()}

    def signed(self, event: str, body: bytes) -> dict[str, str]:
        """The headers of a delivery."""
        made = hmac.digest(self.server.app.webhook_secret.encode(), body, "sha256").hex()
        return {
            "X-GitHub-Event": event,
            "X-GitHub-Delivery": secrets.token_hex(16),
            "X-Hub-Signature-256": f"sha256={made}",
            "Content-Type": "application/json",
        }


@dataclass(frozen=True)
class Outside:
    """Both."""

    github: GitHubHost
    names: Names

    def settings(self) -> dict[str, str]:
        """With which a platform finds them."""
        return {
            **self.github.settings(),
            "SHIPOFF_PROJECTS_DNS_SERVERS": self.names.server,
            "SHIPOFF_PROJECTS_ALLOW_PRIVATE_SOURCES": "true",
            "SHIPOFF_ORCHESTRATOR_ALLOW_PRIVATE_SOURCES": "true",
        }


@contextmanager
def outside_of(root: Path) -> Iterator[Outside]:
    """Both, for the length of the block."""
    with GitHubHost(root) as github, served() as names:
        yield Outside(github, names)
