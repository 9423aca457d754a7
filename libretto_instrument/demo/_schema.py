"""A small JSON document that a JSON schema accepts."""

from typing import Any

#: Depth beyond which only what a schema insists on is made, so that recursion ends.
_DEEP = 4

#: Depth at which a schema that insists on recursion is given up.
_BOTTOMLESS = 60

_FORMATS = {
    "date": "2024-01-01",
    "date-time": "2024-01-01T00:00:00Z",
    "email": "someone@example.com",
    "ipv4": "127.0.0.1",
    "time": "00:00:00Z",
    "uri": "https://example.com/",
    "uuid": "00000000-0000-4000-8000-000000000000",
}


def example(schema: Any) -> Any:
    """Return a value that ``schema`` accepts, always the same one.

    A ``const``, a ``default``, the first of an ``enum`` or of the ``examples`` wins
    over an invented value. A string's ``pattern`` is not honoured.

    Args:
        schema: The JSON schema.

    Raises:
        ValueError: If the schema refers to nothing, or requires itself without end.
    """
    return _make(schema, schema, "text", 0)


def _make(schema: Any, root: Any, name: str, depth: int) -> Any:
    """Return a value for a part of ``root``, the one of the property ``name``."""
    if depth > _BOTTOMLESS:
        raise ValueError("the schema never ends: it requires itself")
    if not isinstance(schema, dict):
        return name
    schema = _settle(schema, root, depth)
    for fixed in ("const", "default"):
        if fixed in schema:
            return schema[fixed]
    for choices in ("enum", "examples"):
        if schema.get(choices):
            return schema[choices][0]
    kind = _kind(schema)
    if kind == "object":
        return _object(schema, root, depth)
    if kind == "array":
        return _array(schema, root, name, depth)
    return _scalar(kind, schema, name)


def _settle(schema: dict[str, Any], root: Any, depth: int) -> dict[str, Any]:
    """Follow references, unions and intersections to a schema that has none on top."""
    for _ in range(_BOTTOMLESS):
        options = schema.get("anyOf") or schema.get("oneOf")
        if "$ref" in schema:
            schema = _resolve(schema["$ref"], root)
        elif options:
            schema = _pick(options, depth)
        elif schema.get("allOf"):
            schema = _merge(schema, root)
        else:
            return schema
    raise ValueError("the schema refers to itself only")


def _kind(schema: dict[str, Any]) -> str:
    kind = schema.get("type", "object" if "properties" in schema else "string")
    if isinstance(kind, list):
        return next((one for one in kind if one != "null"), "null")
    return str(kind)


def _object(schema: dict[str, Any], root: Any, depth: int) -> dict[str, Any]:
    properties = schema.get("properties", {})
    names = schema.get("required")
    if names is None:
        names = [] if depth >= _DEEP else list(properties)
    return {
        name: _make(properties.get(name, {}), root, name, depth + 1) for name in names
    }


def _array(schema: dict[str, Any], root: Any, name: str, depth: int) -> list[Any]:
    least = schema.get("minItems", 0)
    count = least if depth >= _DEEP else max(1, least)
    count = min(count, schema.get("maxItems", count))
    return [_make(schema.get("items"), root, name, depth + 1) for _ in range(count)]


def _scalar(kind: str, schema: dict[str, Any], name: str) -> Any:
    if kind in ("integer", "number"):
        return _number(schema, whole=kind == "integer")
    if kind == "string":
        return _string(schema, name)
    return True if kind == "boolean" else None


def _pick(options: list[Any], depth: int) -> Any:
    if depth >= _DEEP:
        for option in options:
            if isinstance(option, dict) and option.get("type") == "null":
                return option
    return options[0]


def _merge(schema: dict[str, Any], root: Any) -> dict[str, Any]:
    merged = {key: value for key, value in schema.items() if key != "allOf"}
    for part in schema["allOf"]:
        whole = _resolve(part["$ref"], root) if "$ref" in part else part
        for key, value in whole.items():
            if key == "properties":
                merged[key] = {**merged.get(key, {}), **value}
            elif key == "required":
                merged[key] = [*merged.get(key, []), *value]
            else:
                merged.setdefault(key, value)
    return merged


def _resolve(ref: str, root: Any) -> Any:
    found = root
    for step in ref.removeprefix("#").split("/")[1:]:
        found = found.get(step) if isinstance(found, dict) else None
    if found is None:
        raise ValueError(f"the schema refers to {ref}, which is not in it")
    return found


def _number(schema: dict[str, Any], *, whole: bool) -> int | float:
    step = schema.get("multipleOf", 1)
    value = step
    if "minimum" in schema:
        value = max(value, schema["minimum"])
    if "exclusiveMinimum" in schema:
        value = max(value, schema["exclusiveMinimum"] + step)
    if "maximum" in schema:
        value = min(value, schema["maximum"])
    if "exclusiveMaximum" in schema:
        value = min(value, schema["exclusiveMaximum"] - step)
    return int(value) if whole else float(value)


def _string(schema: dict[str, Any], name: str) -> str:
    text = _FORMATS.get(schema.get("format", ""), name)
    text = text.ljust(schema.get("minLength", 0), ".")
    return text[: schema.get("maxLength", len(text))]
