"""The documents that the offline model makes for a JSON schema."""

from typing import Any

import pytest

from libretto_instrument.demo._schema import example


@pytest.mark.parametrize(
    ("schema", "document"),
    [
        ({"type": "string"}, "text"),
        ({"type": "string", "minLength": 6}, "text.."),
        ({"type": "string", "maxLength": 2}, "te"),
        ({"type": "string", "format": "date"}, "2024-01-01"),
        ({"type": "boolean"}, True),
        ({"type": "null"}, None),
        ({"type": "integer"}, 1),
        ({"type": "integer", "minimum": 7}, 7),
        ({"type": "integer", "exclusiveMinimum": 7}, 8),
        ({"type": "integer", "maximum": -2}, -2),
        ({"type": "integer", "exclusiveMaximum": 0}, -1),
        ({"type": "number", "multipleOf": 0.5}, 0.5),
        ({"const": None}, None),
        ({"default": False}, False),
        ({"enum": ["b", "a"]}, "b"),
        ({"examples": ["Lisbon"]}, "Lisbon"),
        ({"type": ["null", "string"]}, "text"),
        ({"anyOf": [{"type": "integer"}, {"type": "null"}]}, 1),
        ({"oneOf": [{"const": 1}, {"const": 2}]}, 1),
        ({"type": "array", "items": {"type": "integer"}}, [1]),
        ({"type": "array", "items": {"const": 1}, "minItems": 3}, [1, 1, 1]),
        ({"type": "array", "items": {"const": 1}, "maxItems": 0}, []),
        ({"type": "array"}, ["text"]),
        ({"type": "object"}, {}),
        ({"properties": {"city": {"type": "string"}}}, {"city": "city"}),
        (
            {"properties": {"a": {"const": 1}, "b": {"const": 2}}, "required": ["b"]},
            {"b": 2},
        ),
        (
            {
                "allOf": [
                    {"$ref": "#/$defs/A"},
                    {"properties": {"b": {"const": 2}}, "required": ["b"]},
                ],
                "$defs": {
                    "A": {
                        "type": "object",
                        "properties": {"a": {"const": 1}},
                        "required": ["a"],
                    }
                },
            },
            {"a": 1, "b": 2},
        ),
    ],
)
def test_a_document_follows_its_schema(schema: dict[str, Any], document: Any) -> None:
    """Each keyword that is honoured shapes the document."""
    assert example(schema) == document


def test_recursion_ends_where_it_may() -> None:
    """A schema that may refer to itself gets a document that stops doing so."""
    node: dict[str, Any] = {
        "properties": {
            "next": {"anyOf": [{"$ref": "#"}, {"type": "null"}]},
            "more": {"type": "array", "items": {"$ref": "#"}},
        },
        "required": ["next", "more"],
    }
    document, depth = example(node), 0
    while document is not None:
        document, depth = document["next"], depth + 1
    assert 1 < depth < 10


@pytest.mark.parametrize(
    "schema",
    [
        {"properties": {"a": {"$ref": "#"}}, "required": ["a"]},
        {"$ref": "#"},
        {"$ref": "#/$defs/Missing"},
    ],
)
def test_a_schema_without_a_document(schema: dict[str, Any]) -> None:
    """A schema that never ends or refers to nothing is said to be wrong."""
    with pytest.raises(ValueError, match="the schema"):
        example(schema)
