"""A value that a schema allows, in words of this platform: what a reader sees beside it. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from control.gateway.openapi.schemas import REFERENCE, Schema

DEPTH: Final = 6
_ID: Final = re.compile(r"\b([a-z]{3})_…")
_QUOTED: Final = re.compile(r"`([^`…]+)`")
_HEX: Final = "0190b6f2a1c47d3e8f5a9b0c1d2e3f40"
_NAMED: Final[Mapping[str, Any]] = {
    "email": "ada@example.org",
    "name": "shop",
    "slug": "acme",
    "environment": "production",
    "url": "https://shop.example.org",
    "git_url": "https://api.example.org/git/shop.git",
    "commit": "4f1c8a0e6b7d2c935e8f0a1b2c3d4e5f60718293",
    "client_ip": "192.0.2.1",
    "address": "192.0.2.1",
    "host": "shop.example.org",
    "method": "GET",
    "target": "/cart?item=7",
    "state": "LIVE",
    "framework": "next",
    "root_dir": "",
    "production_branch": "main",
    "message": "Add the cart",
    "text": "listening on 3000",
}


def example(schema: Schema, components: Mapping[str, Schema], name: str = "", depth: int = DEPTH) -> Any:
    """A value.

    Args:
        schema: of it.
        components: name to schema.
        name: of the field that it stands in.
        depth: how far to follow schemas that hold others.
    """
    if "$ref" in schema:
        inner = components[schema["$ref"].removeprefix(REFERENCE)]
        return example(inner, components, name, depth - 1) if depth else {}
    for given in (schema.get("examples"), schema.get("enum")):
        if given:
            return given[-1]
    if kinds := schema.get("anyOf"):
        return example({**kinds[0], "description": schema.get("description", "")}, components, name, depth)
    kind = schema.get("type")
    kind = kind[0] if isinstance(kind, list) else kind
    if kind == "object":
        return {key: example(one, components, key, depth) for key, one in schema.get("properties", {}).items()}
    if kind == "array":
        return [example(schema["items"], components, name, depth)] if depth else []
    return _text(name, schema.get("description", "")) if kind == "string" else _plain(kind, schema)


def _plain(kind: str | None, schema: Schema) -> Any:
    match kind:
        case "integer":
            return max(schema.get("minimum", 1), 1)
        case "number":
            return 1.5
        case "boolean":
            return bool(schema.get("default", True))
    return {} if kind is None else None


def _text(name: str, said: str) -> str:
    if match := _ID.search(said):
        return f"{match[1]}_{_HEX}"
    if "RFC 3339" in said:
        return "2026-05-04T09:30:00.000+00:00"
    if name in _NAMED:
        return str(_NAMED[name])
    if match := _QUOTED.search(said):
        return match[1]
    return "…"
