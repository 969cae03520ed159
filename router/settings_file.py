"""The settings from where a router finds them: arguments, environment, and a file that is read again on SIGHUP.

The file (`SHIPOFF_ROUTER_SETTINGS=FILE`) has one `NAME=VALUE` a line with `#` comments, or is a JSON object; names are
those of router/settings.py, in any case, with or without `SHIPOFF_ROUTER_`. Arguments win over the environment's
`SHIPOFF_ROUTER_*`, these over the file. A file that is wrong anywhere is not taken at all.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, Final

import orjson
from pydantic import ValidationError

from kernel.errors import define
from router.settings import LIVE, SERVICE, RouterSettings

ARGUMENTS_INVALID = define("ARGUMENTS_INVALID", source="client", hint="see python -m router --help")
SETTINGS_FILE_INVALID = define(
    "SETTINGS_FILE_INVALID", source="client", hint="correct the file that SHIPOFF_ROUTER_SETTINGS names"
)
_PREFIX: Final = f"SHIPOFF_{SERVICE.upper()}_"


def settings_of(arguments: dict[str, Any]) -> RouterSettings:
    """Reads the settings, those of the file included.

    Args:
        arguments: fields that were given by hand.

    Raises:
        ShipoffError: SETTINGS_INVALID, SETTINGS_FILE_INVALID or ARGUMENTS_INVALID, with what is wrong where.
    """
    settings = RouterSettings.from_process(SERVICE)
    if settings.settings:
        settings = RouterSettings.from_process(SERVICE, read(Path(settings.settings)))
    try:
        return RouterSettings.model_validate({**settings.model_dump(), **arguments})
    except ValidationError as error:
        wrong = "; ".join(f"--{item['loc'][0]}: {item['msg']}" for item in error.errors())
        raise ARGUMENTS_INVALID(wrong) from None


def read(path: Path) -> dict[str, str]:
    """The file's settings as the environment would have them.

    Raises:
        ShipoffError: SETTINGS_FILE_INVALID, naming the line or the name.
    """
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise SETTINGS_FILE_INVALID(f"{path}: {error}") from error
    pairs = _from_json(path, text) if text.lstrip().startswith("{") else _from_lines(path, text)
    found: dict[str, str] = {}
    for place, name, value in pairs:
        field = name.strip().upper().removeprefix(_PREFIX).lower()
        if field not in RouterSettings.model_fields or field == "settings":
            raise SETTINGS_FILE_INVALID(f"{path}, {place}: {name.strip()} is not a setting of a file")
        if _PREFIX + field.upper() in found:
            raise SETTINGS_FILE_INVALID(f"{path}, {place}: {name.strip()} is set twice")
        found[_PREFIX + field.upper()] = value
    return found


def compare(old: RouterSettings, new: RouterSettings) -> tuple[RouterSettings, list[str], list[str]]:
    """What a running router makes of new settings.

    Returns:
        The settings to work by from now on; the names of what changes with them; and of what waits for a restart.
    """
    changed = [name for name in RouterSettings.model_fields if getattr(old, name) != getattr(new, name)]
    live = [name for name in changed if name in LIVE]
    return old.model_copy(update={name: getattr(new, name) for name in live}), live, sorted({*changed} - {*live})


def digest(settings: RouterSettings) -> str:
    """Tells whether two processes work by the same settings."""
    return hashlib.sha256(settings.model_dump_json().encode()).hexdigest()


def _from_lines(path: Path, text: str) -> list[tuple[str, str, str]]:
    pairs = []
    for number, line in enumerate(text.splitlines(), 1):
        line = line.strip()
        if line and not line.startswith("#"):
            name, equals, value = line.partition("=")
            if not equals:
                raise SETTINGS_FILE_INVALID(f"{path}, line {number}: not NAME=VALUE")
            value = value.strip()
            quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "\"'"
            pairs.append((f"line {number}", name, value[1:-1] if quoted else value))
    return pairs


def _from_json(path: Path, text: str) -> list[tuple[str, str, str]]:
    try:
        values = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise SETTINGS_FILE_INVALID(f"{path}: {error}") from error
    pairs = []
    for name, value in values.items():
        if not isinstance(value, str | int | float | bool):
            raise SETTINGS_FILE_INVALID(f"{path}: {name} is neither text nor number nor true or false")
        pairs.append(("JSON", name, str(value)))
    return pairs
