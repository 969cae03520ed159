"""Variables as the text of a .env file: read by python-dotenv's parser, all faults with their lines; and written. Pure.

What is written and read again is the same. Nothing is put in for `$NAME`: the platform's own environment is nobody's
business, and a value that changes with the machine that reads it is none.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from control.projects.env.rules import check_change
from kernel.errors import ShipoffError, define

if TYPE_CHECKING:
    from dotenv.parser import Binding

    from control.projects.env.merge import EnvVar

ENV_FILE_INVALID = define(
    "ENV_FILE_INVALID",
    source="client",
    status=422,
    hint="one NAME=VALUE a line; values with spaces, quotes or line breaks in \"double\" or 'single' quotes",
)
MAX_FAULTS: Final = 20
FILE_BYTES: Final = 512 * 1024  # twice what a project may have, for comments
_NEWLINE: Final = re.compile(r"\r\n|\n|\r")
_PLAIN: Final = re.compile(r"[A-Za-z0-9_./:@%+,=-]*")
_ESCAPES: Final = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def read(text: str) -> dict[str, str]:
    """The variables of a file.

    Args:
        text: of the whole file.

    Raises:
        ShipoffError: ENV_FILE_INVALID, with every fault and its line; never a value.
    """
    # Imported here: few calls need it.
    from dotenv.parser import parse_stream

    if len(text.encode()) > FILE_BYTES:
        raise ENV_FILE_INVALID(f"the file has more than {FILE_BYTES // 1024} KiB")
    found: dict[str, str] = {}
    lines: dict[str, int] = {}
    faults: list[str] = []
    for binding in parse_stream(io.StringIO(text, newline="")):
        line = _line(binding)
        if fault := _fault(binding, lines):
            faults.append(f"line {line}: {fault}")
        elif binding.key is not None:
            found[binding.key], lines[binding.key] = binding.value or "", line
    if faults:
        more = f"; and {len(faults) - MAX_FAULTS} more" if len(faults) > MAX_FAULTS else ""
        raise ENV_FILE_INVALID("; ".join(faults[:MAX_FAULTS]) + more)
    return found


def write(variables: Iterable[EnvVar], heading: str) -> str:
    """A file with variables; of secrets it has the names only, as comments.

    Args:
        variables: in the order of the file.
        heading: the first line, which becomes a comment.
    """
    lines = [f"# {_NEWLINE.sub(' ', heading)}"]
    for one in variables:
        note = f"  # for {one.scope}" if one.scope != "all" else ""
        lines.append(
            f"# {one.name}: secret, its value stays" if one.secret else f"{one.name}={_quoted(one.value)}{note}"
        )
    return "\n".join(lines) + "\n"


def _line(binding: Binding) -> int:
    """Where a binding begins; the parser counts from the blank lines before it."""
    text = binding.original.string
    blank = text[: len(text) - len(text.lstrip())]
    return int(binding.original.line) + len(_NEWLINE.findall(blank))


def _fault(binding: Binding, lines: dict[str, int]) -> str:
    if binding.error:
        return "this is not NAME=VALUE, or a quote is not closed"
    if binding.key is None:
        return ""
    if binding.value is None:
        return f"{binding.key[:80]!r} has no value"
    if binding.key in lines:
        return f"{binding.key} stands on line {lines[binding.key]} already"
    try:
        check_change({binding.key: binding.value})
    except ShipoffError as error:
        return error.detail
    return ""


def _quoted(value: str) -> str:
    """A value as the parser, shells and other tools read it alike, as far as they agree."""
    if _PLAIN.fullmatch(value):
        return value
    if value.isprintable():
        return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
    return '"' + "".join(_ESCAPES.get(char, char) for char in value) + '"'
