"""Reads docstrings as this repository writes them: a sentence, more of them, and an `Attributes:` section."""

from __future__ import annotations

import inspect
import re
from dataclasses import dataclass
from typing import Any, Final

_SECTION: Final = re.compile(r"(Args|Attributes|Raises|Returns|Yields):")
_FIELD: Final = re.compile(r"    (\w+(?:, \w+)*): (.+)")


@dataclass(frozen=True, slots=True)
class Doc:
    """What a docstring says.

    Attributes:
        summary: the first paragraph, on one line.
        description: the paragraphs between it and the first section.
        attributes: name to what is said of it.
    """

    summary: str
    description: str
    attributes: dict[str, str]


def read(thing: Any) -> Doc:
    """What the docstring of a function or a class says; that of a model or a TypedDict tells of its bases' fields too.

    A `TypedDict` knows its bases from Python 3.12 on, or when it is that of typing_extensions.
    """
    said = _parse(inspect.cleandoc(thing.__doc__ or ""))
    attributes: dict[str, str] = {}
    for base in getattr(thing, "__orig_bases__", ()) or getattr(thing, "__bases__", ()):
        if (base.__module__ or "").startswith("control."):
            attributes |= read(base).attributes
    return Doc(said.summary, said.description, attributes | said.attributes)


def _parse(text: str) -> Doc:
    lines = text.splitlines()
    start = next((at for at, line in enumerate(lines) if _SECTION.fullmatch(line)), len(lines))
    paragraphs = [" ".join(part.split()) for part in "\n".join(lines[:start]).split("\n\n") if part.strip()]
    attributes: dict[str, str] = {}
    names: list[str] = []
    section = ""
    for line in lines[start:]:
        if match := _SECTION.fullmatch(line):
            section, names = match[1], []
        elif section == "Attributes" and (match := _FIELD.fullmatch(line)):
            names = match[1].split(", ")
            attributes |= dict.fromkeys(names, match[2])
        elif section == "Attributes" and line.startswith("        "):
            attributes |= {name: f"{attributes[name]} {line.strip()}" for name in names}
    return Doc(paragraphs[0] if paragraphs else "", "\n\n".join(paragraphs[1:]), attributes)
