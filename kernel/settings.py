"""Settings: frozen pydantic models, parsed once from an injected mapping.

Each service has one model; each field has a unit, a default and its reason in its description. A field `database_url`
of the service `auth` is read from `SHIPOFF_AUTH_DATABASE_URL`, else from `SHIPOFF_DATABASE_URL`, else (for secrets
that a cluster mounts as files) from the file named by either name with `_FILE` behind it. Only `from_process` reads
`os.environ`; nothing else in the platform does.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, ValidationError

from kernel.errors import define

SETTINGS_INVALID = define(
    "SETTINGS_INVALID", source="client", status=500, hint="correct the environment variables named above"
)


class Settings(BaseModel):
    """Base of every service's settings. Subclasses set `SERVICE` by passing it to `load`."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    @classmethod
    def load(cls, service: str, environ: Mapping[str, str]) -> Self:
        """Parses the settings of a service from a mapping.

        Args:
            service: lower-case name, e.g. "auth"; "" reads the unprefixed names only.
            environ: normally the process environment.

        Raises:
            ShipoffError: SETTINGS_INVALID, naming every variable that is missing or wrong (never its value).
        """
        prefixes = [f"SHIPOFF_{service.upper()}_", "SHIPOFF_"] if service else ["SHIPOFF_"]
        values = {}
        for name in cls.model_fields:
            found = _find(environ, [prefix + name.upper() for prefix in prefixes])
            if found is not None:
                values[name] = found
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            problems = "; ".join(
                f"{prefixes[0]}{str(item['loc'][0]).upper() if item['loc'] else '?'}: {item['msg']}"
                for item in error.errors()
            )
            raise SETTINGS_INVALID(problems) from None

    @classmethod
    def from_process(cls, service: str, defaults: Mapping[str, str] | None = None) -> Self:
        """Parses the settings from this process's environment.

        Args:
            defaults: variables that count where the environment does not set them.
        """
        return cls.load(service, {**(defaults or {}), **os.environ})  # the one place


def _find(environ: Mapping[str, str], names: list[str]) -> str | None:
    for name in names:
        if name in environ:
            return environ[name]
        if name + "_FILE" in environ:
            try:
                return Path(environ[name + "_FILE"]).read_text().strip()
            except OSError as error:
                raise SETTINGS_INVALID(f"{name}_FILE: {error.strerror}") from error
    return None
