"""Everything that speaks with GitHub, where the operator registered an App."""

from __future__ import annotations

from dataclasses import dataclass

from control.projects.github.app import App
from control.projects.github.claims import Claims
from control.projects.github.client import GitHub
from control.projects.github.tokens import Tokens
from kernel.sealing import Sealer


@dataclass(frozen=True, slots=True)
class GitHubAccess:
    """The client and what is built on it."""

    github: GitHub
    tokens: Tokens
    claims: Claims

    @classmethod
    def of(cls, app: App, sealer: Sealer) -> GitHubAccess:
        """By an App's settings; nothing is connected before the first call."""
        github = GitHub(app)
        return cls(github, Tokens(github), Claims(github, sealer))
