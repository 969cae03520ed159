"""Types become schemas, each class once."""

from __future__ import annotations

from typing import Any, Literal, TypedDict

import pytest

from control.gateway.models.base import Page
from control.gateway.openapi.schemas import Schemas


class LeafShape(TypedDict):
    """A leaf.

    Attributes:
        size: in metres.
        tree: dep_… that it hangs on.
    """

    size: float | None
    tree: str


@pytest.mark.parametrize(
    ("kind", "schema"),
    [
        (str | None, {"type": ["string", "null"]}),
        (list[int], {"type": "array", "items": {"type": "integer"}}),
        (dict[str, Any], {"type": "object", "additionalProperties": {}}),
        (Literal["a", "b"], {"enum": ["a", "b"]}),
        (LeafShape | None, {"anyOf": [{"$ref": "#/components/schemas/Leaf"}, {"type": "null"}]}),
    ],
)
def test_a_type_is_a_schema(kind: Any, schema: dict[str, Any]) -> None:
    assert Schemas().of(kind) == schema


def test_a_typed_dict_is_a_component_with_descriptions() -> None:
    schemas = Schemas()
    schemas.of(LeafShape)
    assert schemas.components["Leaf"] == {
        "type": "object",
        "description": "A leaf.",
        "properties": {
            "size": {"type": ["number", "null"], "description": "In metres."},
            "tree": {"type": "string", "description": "dep_… that it hangs on."},
        },
        "required": ["size", "tree"],
    }


def test_two_classes_of_one_name_are_refused() -> None:
    schemas = Schemas()
    schemas.of(LeafShape)

    class Other(TypedDict):
        """Another."""

    Other.__name__ = "LeafShape"
    with pytest.raises(TypeError, match="two classes are called Leaf"):
        schemas.of(Other)


def test_a_query_says_its_bounds() -> None:
    found = Schemas().properties(Page)
    assert found["limit"] == (
        {"type": "integer", "minimum": 1, "maximum": 100, "default": 20, "description": "How many at most."},
        False,
    )
