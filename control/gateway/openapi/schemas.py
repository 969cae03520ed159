"""Types as JSON Schema (the dialect of OpenAPI 3.1), each `TypedDict` and model once, as a component."""

from __future__ import annotations

from types import NoneType, UnionType
from typing import (
    Annotated,
    Any,
    Final,
    Literal,
    NotRequired,
    Required,
    Union,
    cast,
    get_args,
    get_origin,
    get_type_hints,
)

from pydantic import BaseModel
from typing_extensions import is_typeddict

from control.gateway import docstrings

Schema = dict[str, Any]
REFERENCE: Final = "#/components/schemas/"
_PLAIN: Final[dict[Any, Schema]] = {
    str: {"type": "string"},
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"type": "number"},
    NoneType: {"type": "null"},
    Any: {},
    object: {},
}


class Schemas:
    """The components of one document.

    Attributes:
        components: name to schema.
    """

    def __init__(self) -> None:
        self.components: dict[str, Schema] = {}
        self._kinds: dict[str, Any] = {}

    def of(self, kind: Any) -> Schema:
        """The schema of a type that answers are made of.

        Raises:
            TypeError: there is none.
        """
        if kind in _PLAIN:
            return dict(_PLAIN[kind])
        if is_typeddict(kind):
            return self._component(kind, self._typed_dict)
        origin, inner = get_origin(kind), get_args(kind)
        if origin is Literal:
            return {"enum": list(inner)}
        if origin in (Annotated, Required, NotRequired):
            return self.of(inner[0])
        if origin is list:
            return {"type": "array", "items": self.of(inner[0])}
        if origin is dict:
            return {"type": "object", "additionalProperties": self.of(inner[1])}
        if origin in (Union, UnionType):
            return _any_of([self.of(one) for one in inner])
        raise TypeError(f"there is no schema for {kind}")

    def body(self, model: type[BaseModel]) -> Schema:
        """The schema of a body."""
        return self._component(model, self._model)

    def properties(self, model: type[BaseModel]) -> dict[str, tuple[Schema, bool]]:
        """The fields of a query: name to schema and whether it must be there."""
        schema = self._model(model)
        required = schema.get("required", ())
        return {name: (_not_null(one), name in required) for name, one in schema["properties"].items()}

    def _component(self, kind: Any, make: Any) -> Schema:
        name = kind.__name__.removesuffix("Shape")
        if self._kinds.setdefault(name, kind) is not kind:
            raise TypeError(f"two classes are called {name}: {kind.__module__} and {self._kinds[name].__module__}")
        if name not in self.components:
            self.components[name] = {}  # a shape may hold itself
            self.components[name] = make(kind)
        return {"$ref": f"{REFERENCE}{name}"}

    def _typed_dict(self, kind: Any) -> Schema:
        said = docstrings.read(kind)
        hints = get_type_hints(kind, include_extras=True)
        fields = {name: _described(self.of(hint), said.attributes.get(name, "")) for name, hint in hints.items()}
        # Annotations that wait (PEP 563) hide NotRequired from the class itself.
        left_out = {name for name, hint in hints.items() if get_origin(hint) is NotRequired}
        required = [name for name in fields if name in kind.__required_keys__ and name not in left_out]
        return {"type": "object", "description": said.summary, "properties": fields, "required": required}

    def _model(self, model: type[BaseModel]) -> Schema:
        schema = model.model_json_schema(ref_template=REFERENCE + "{model}")
        for name, inner in schema.pop("$defs", {}).items():
            self.components.setdefault(name, _bare(inner))
        schema = cast("Schema", _bare(schema))
        said = docstrings.read(model)
        schema["description"] = said.summary
        schema["properties"] = {
            name: _described(one, said.attributes.get(name, "")) for name, one in schema.get("properties", {}).items()
        }
        return schema


def sentence(text: str) -> str:
    """With a capital, unless it begins with the sign of an id."""
    return text if text[3:4] == "_" else text[:1].upper() + text[1:]


def _described(schema: Schema, text: str) -> Schema:
    return {**schema, "description": sentence(text)} if text else schema


def _any_of(schemas: list[Schema]) -> Schema:
    plain = [one["type"] for one in schemas if set(one) == {"type"}]
    return {"type": plain} if len(plain) == len(schemas) else {"anyOf": schemas}


def _not_null(schema: Schema) -> Schema:
    """A field of a query that may be left out is never sent as null."""
    kinds = [one for one in schema.get("anyOf", ()) if one != {"type": "null"}]
    if len(kinds) != 1:
        return schema
    rest = {name: value for name, value in schema.items() if name not in ("anyOf", "default")}
    return {**kinds[0], **rest}


def _bare(schema: Any) -> Any:
    """Without the titles that pydantic makes of names."""
    if isinstance(schema, dict):
        kept = {name: one for name, one in schema.items() if name != "title" or not isinstance(one, str)}
        return {name: _bare(one) for name, one in kept.items()}
    return [_bare(one) for one in schema] if isinstance(schema, list) else schema
