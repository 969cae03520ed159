"""What an env var may be called and hold. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Final

from kernel.errors import define

ENV_NAME_INVALID = define(
    "ENV_NAME_INVALID",
    source="client",
    status=422,
    hint="use letters, digits and underscores, not a digit first, at most 128 characters",
)
ENV_NAME_RESERVED = define("ENV_NAME_RESERVED", source="client", status=422)
ENV_VALUE_INVALID = define(
    "ENV_VALUE_INVALID", source="client", status=422, hint="a value has at most 32 KiB of UTF-8 and no NUL character"
)
ENV_TOO_LARGE = define(
    "ENV_TOO_LARGE", source="client", status=422, hint="keep large configuration in a file of the repository"
)

ENV_SCOPE_INVALID = define(
    "ENV_SCOPE_INVALID",
    source="client",
    status=422,
    hint="a scope is build, run or all (both); all when nothing is said",
)

VALUE_BYTES: Final = 32 * 1024  # Linux passes at most 128 KiB in one string (MAX_ARG_STRLEN)
TOTAL_BYTES: Final = 256 * 1024  # all of a project's names and values; execve takes them beside the arguments
COUNT: Final = 500
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
_RESERVED: Final = {
    "PORT": "the platform chooses the port; listen on $PORT",
    "HOME": "the sandbox has a home of its own",
    "PATH": "the platform sets it to the runtime that it starts; call other programs by their full path",
    "PWD": "it is where the app runs",
    "TMPDIR": "use /tmp, which belongs to the instance",
    "USER": "the sandbox has a user of its own",
}
_RESERVED_PREFIX: Final = "SHIPOFF_"


ENV_ENVIRONMENT_INVALID = define(
    "ENV_ENVIRONMENT_INVALID",
    source="client",
    status=422,
    hint="variables are for all environments, production, preview (all of them), or preview/BRANCH",
)
SCOPES: Final = ("all", "build", "run")
ALL: Final = "all"
PREVIEWS: Final = "preview"
_ENVIRONMENT: Final = re.compile(r"all|production|preview(?:/[^\x00-\x1f\x7f]{1,200})?")


def check_environment(environment: str) -> None:
    """Refuses what no variable can be for.

    Raises:
        ShipoffError: ENV_ENVIRONMENT_INVALID.
    """
    if not _ENVIRONMENT.fullmatch(environment):
        raise ENV_ENVIRONMENT_INVALID(f"{environment[:80]!r} is nothing that variables are set for")


def check_scope(scope: str) -> None:
    """Refuses what is no scope; "" says nothing.

    Raises:
        ShipoffError: ENV_SCOPE_INVALID.
    """
    if scope and scope not in SCOPES:
        raise ENV_SCOPE_INVALID(f"{scope[:40]!r} is no scope of an env var")


def check_change(changed: Mapping[str, str]) -> None:
    """Refuses names and values that could not be given to a process.

    Raises:
        ShipoffError: ENV_NAME_INVALID, ENV_NAME_RESERVED or ENV_VALUE_INVALID. Never shows a value.
    """
    for name, value in changed.items():
        if not _NAME.fullmatch(name):
            raise ENV_NAME_INVALID(f"{name[:130]!r} cannot name an env var")
        if name in _RESERVED or name.upper().startswith(_RESERVED_PREFIX):
            raise ENV_NAME_RESERVED(f"{name} is set by the platform", hint=_RESERVED.get(name, "choose another name"))
        if "\0" in value or len(value.encode()) > VALUE_BYTES:
            raise ENV_VALUE_INVALID(f"the value of {name} is too long or has a NUL character")


def check_total(variables: Collection[tuple[str, str]]) -> None:
    """Refuses more than a process can be given; a project's variables count for all environments together.

    Args:
        variables: names and values.

    Raises:
        ShipoffError: ENV_TOO_LARGE.
    """
    total = sum(len(name) + len(value.encode()) for name, value in variables)
    if len(variables) > COUNT or total > TOTAL_BYTES:
        raise ENV_TOO_LARGE(f"a project has at most {COUNT} env vars and {TOTAL_BYTES // 1024} KiB of them")
