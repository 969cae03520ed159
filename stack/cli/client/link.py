"""Which project a folder belongs to: `.shipoff.toml`, one line, no secret, fit to be committed."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Final

from stack.cli.client.failures import Exit, Failure

FILE: Final = ".shipoff.toml"
_NAME: Final = re.compile(r"[a-z0-9_-]{1,64}")


def project(named: str | None, folder: Path | None = None) -> str:
    """The project that a command is about: the one named, else the one that this folder is linked to.

    Raises:
        Failure: NOT_LINKED, LINK_INVALID.
    """
    if named:
        return named
    file = (folder or Path.cwd()) / FILE
    try:
        value = tomllib.loads(file.read_text()).get("project")
    except FileNotFoundError:
        hint = "name one (--project NAME), or remember one for this folder: shipoff link NAME"
        raise Failure("NOT_LINKED", "no project is named and this folder has none", hint, Exit.USAGE) from None
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise Failure("LINK_INVALID", f"cannot read {file}: {error}", "shipoff link NAME", Exit.USAGE) from error
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise Failure("LINK_INVALID", f"{file} names no project", "shipoff link NAME", Exit.USAGE)
    return value


def remember(name: str, folder: Path) -> Path:
    """Links a folder."""
    file = folder / FILE
    file.write_text(f'# Written by `shipoff link`; fit to be committed.\nproject = "{name}"\n')
    return file
