"""What became of a delivery in one project."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Outcome:
    """One outcome.

    Attributes:
        project_id: "" for what changed links and not deployments.
        reason: a sentence, for what was skipped or refused.
        code: of the error that refused it.
    """

    project_id: str
    action: Literal["deployed", "ended", "skipped", "refused", "noted"]
    environment: str = ""
    deployment_id: str = ""
    reason: str = ""
    code: str = ""

    def stored(self) -> dict[str, Any]:
        """As it is kept."""
        return asdict(self)
