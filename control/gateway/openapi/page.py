"""The reference for people: the OpenAPI document as one page, without scripts and without anything from elsewhere."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from importlib.resources import files
from typing import Any, Final

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup, escape

from control.gateway.openapi.operation import WHY
from control.gateway.openapi.schemas import REFERENCE, Schema

TEMPLATE: Final = files("control.gateway").joinpath("openapi/page.html").read_text()
_CODE: Final = re.compile(r"`([^`]+)`")
_BOLD: Final = re.compile(r"\*\*([^*]+)\*\*")


def render(document: dict[str, Any]) -> str:
    """The page.

    Args:
        document: as `document.py` makes it.
    """
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"prose": prose, "line": line, "kind": kind, "pretty": pretty}
    template = environment.from_string(TEMPLATE)
    schemas = document["components"]["schemas"]
    return template.render(api=document, groups=_groups(document), schemas=schemas, refusals=WHY)


def _groups(document: dict[str, Any]) -> list[dict[str, Any]]:
    operations = list(_operations(document))
    return [
        {**tag, "operations": [one for one in operations if tag["name"] in one["tags"]]} for tag in document["tags"]
    ]


def _operations(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for path, methods in document["paths"].items():
        for method, found in methods.items():
            (good, answer), *others = found["responses"].items()
            parameters = document["components"]["parameters"]
            yield {
                **found,
                "parameters": [
                    parameters.get(one.get("$ref", "").rpartition("/")[2], one) for one in found["parameters"]
                ],
                "method": method.upper(),
                "path": path,
                "anchor": found["operationId"].replace(".", "-"),
                "body": next(iter(found.get("requestBody", {}).get("content", {}).values()), None),
                "status": good,
                "answers": answer.get("content", {}),
                "refusals": [status for status, refusal in others if "$ref" in refusal],
            }


def prose(text: str) -> Markup:
    """Paragraphs of the little Markdown that docstrings use."""
    return Markup().join(Markup("<p>{}</p>").format(line(part)) for part in text.split("\n\n") if part.strip())


def line(text: str) -> Markup:
    """One line of it."""
    marked = _CODE.sub(r"<code>\1</code>", str(escape(text)))
    return Markup(_BOLD.sub(r"<b>\1</b>", marked))  # noqa: S704 - escaped above


def kind(schema: Schema) -> Markup:
    """A schema in a word or two, with a link to what it refers to."""
    if "$ref" in schema:
        name = schema["$ref"].removeprefix(REFERENCE)
        return Markup('<a href="#schema-{0}">{0}</a>').format(name)
    if found := schema.get("anyOf"):
        return Markup(" or ").join(kind(one) for one in found)
    if found := schema.get("enum"):
        return Markup(" or ").join(Markup("<code>{}</code>").format(json.dumps(one)) for one in found)
    name = schema.get("type", "any value")
    if isinstance(name, list):
        return escape(" or ".join(name))
    if name == "array":
        return Markup("list of {}").format(kind(schema["items"]))
    if name == "object" and isinstance(schema.get("additionalProperties"), dict):
        return Markup("map to {}").format(kind(schema["additionalProperties"]))
    return escape(name + _bounds(schema))


def _bounds(schema: Schema) -> str:
    said = [
        f"{word} {schema[key]}"
        for key, word in (("minimum", "from"), ("maximum", "to"), ("maxLength", "at most"), ("maxItems", "at most"))
        if key in schema
    ]
    return f", {' '.join(said)}" if said else ""


def pretty(value: Any) -> str:
    """JSON for reading."""
    return json.dumps(value, indent=2, ensure_ascii=False)
