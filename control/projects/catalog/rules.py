"""What a project's name and build settings may look like. Pure; refuses, never repairs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import PurePosixPath
from typing import Final

from kernel.errors import define
from kernel.frameworks import BY_ID

PROJECT_NAME_INVALID = define(
    "PROJECT_NAME_INVALID",
    source="client",
    status=422,
    hint="use 1 to 40 lower-case letters, digits and single hyphens, none first or last: it becomes a host name",
)
PROJECT_NAME_RESERVED = define(
    "PROJECT_NAME_RESERVED", source="client", status=422, hint="the platform uses this host name itself; choose another"
)
BUILD_SETTINGS_INVALID = define(
    "BUILD_SETTINGS_INVALID",
    source="client",
    status=422,
    hint="correct the fields named; leave a field empty to detect it",
)

# Hosts that the platform, or whoever runs it, needs or may need on the same domain.
_RESERVED_WORDS: Final = (
    "admin api app apps assets auth autoconfig autodiscover cdn console dashboard dns ftp gateway git "
    "health help imap internal localhost login logs mail metrics mx ns ns1 ns2 pop registry root router "
    "shipoff smtp static status support system webhook webhooks webmail wildcard wpad www xn"
)
RESERVED: Final = frozenset(_RESERVED_WORDS.split())

COMMAND_LENGTH: Final = 4096  # characters; a longer one belongs into a script of the repository
PATH_LENGTH: Final = 255
_NAME: Final = re.compile(
    r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?"
)  # RFC 1123 label, shortened to leave room for suffixes
_HEALTH: Final = re.compile(r"(?:/[!-~]{0,254})?")
# git-check-ref-format(1), the parts that a branch name may consist of
_BRANCH: Final = re.compile(
    r"(?!/)(?!.*(?:\.\.|//|@\{|/\.|\.lock(?:/|$)))(?![-.])[^\x00-\x20\x7f~^:?*\[\\]{1,200}(?<![./])"
)


@dataclass(frozen=True, slots=True)
class BuildSettings:
    """How to build and run a project; an empty field means: detect it. Fields as in proto/projects/v1."""

    framework: str = ""
    root_dir: str = ""
    install_command: str = ""
    build_command: str = ""
    run_command: str = ""
    output_dir: str = ""
    health_path: str = ""


def check_name(name: str) -> None:
    """Refuses what cannot be the first label of a host.

    Raises:
        ShipoffError: PROJECT_NAME_INVALID or PROJECT_NAME_RESERVED.
    """
    if not _NAME.fullmatch(name) or "--" in name:  # it parts a project from its preview's branch
        raise PROJECT_NAME_INVALID(f"{name[:80]!r} cannot name a project")
    if name in RESERVED:
        raise PROJECT_NAME_RESERVED(f"{name!r} is reserved")


def check_build(build: BuildSettings, production_branch: str) -> None:
    """Refuses settings that could never work or that point outside of the repository.

    Raises:
        ShipoffError: BUILD_SETTINGS_INVALID, naming every field at fault.
    """
    problems = list(_problems(build))
    if not _BRANCH.fullmatch(production_branch) or production_branch in {"@", "HEAD"}:
        problems.append("production_branch is not a branch name")
    if problems:
        raise BUILD_SETTINGS_INVALID("; ".join(problems))


def _problems(build: BuildSettings) -> Iterator[str]:
    if build.framework and build.framework not in BY_ID:
        yield f'framework is "auto" or one of {", ".join(BY_ID)}'
    if not _HEALTH.fullmatch(build.health_path):
        yield "health_path begins with / and has no spaces"
    for field in fields(build):
        value: str = getattr(build, field.name)
        if field.name.endswith("_dir") and not is_inside(value):
            yield f"{field.name} is a relative path inside of the repository"
        if field.name.endswith("_command") and not _is_command(value):
            yield f"{field.name} has at most {COMMAND_LENGTH} characters and no control characters"


def is_inside(path: str) -> bool:
    """Whether a path stays inside of the folder that it is relative to; "" is that folder."""
    pure = PurePosixPath(path)
    clean = len(path) <= PATH_LENGTH and (path.isprintable() and "\\" not in path)
    return clean and not pure.is_absolute() and ".." not in pure.parts and ".git" not in pure.parts


def _is_command(text: str) -> bool:
    return len(text) <= COMMAND_LENGTH and all(char.isprintable() or char in "\n\t" for char in text)
