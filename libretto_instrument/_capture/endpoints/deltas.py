"""Accumulation of streamed deltas, in time linear in what came.

Accumulated text stays in fragments, and lists and dicts are extended in place, until
`finalize`. No value that belongs to a chunk is changed.
"""

from typing import Any

__all__ = [
    "TextBuffer",
    "append_delta",
    "finalize",
    "is_blank",
    "merge_delta",
    "overlay",
    "replace_value",
]

#: Fields that name something, as all fields that end in ``_id`` do: a later value
#: replaces an earlier one. All other text is appended.
_ATOMIC_FIELDS = frozenset(
    ("role", "id", "type", "object", "model", "status", "format")
)

#: Fields of list parts that hold text.
_TEXT_FIELDS = frozenset(
    (
        "content",
        "reasoning",
        "reasoning_content",
        "refusal",
        "signature",
        "summary",
        "text",
        "thinking",
        "transcript",
    )
)

#: How many parts back the one with a delta's index is looked for.
_MAX_OPEN_PARTS = 32


class TextBuffer:
    """Text that grows."""

    def __init__(self, text: str = "") -> None:
        self._fragments = [text]

    def add(self, fragment: str) -> None:
        """Append a fragment."""
        self._fragments.append(fragment)

    def __str__(self) -> str:
        self._fragments = ["".join(self._fragments)]
        return self._fragments[0]


def is_blank(value: Any) -> bool:
    """Return whether a value says nothing: null, "", 0, [], {} or a dict of these."""
    if isinstance(value, dict):
        return all(map(is_blank, value.values()))
    return not value and value is not False


def replace_value(fields: dict[str, Any], name: str, value: Any) -> None:
    """Set a field to a later value, which does not replace anything if it is blank."""
    known = fields.get(name)
    if isinstance(known, dict) and isinstance(value, dict):
        fields[name] = overlay(known, value)
    elif name not in fields or not is_blank(value):
        fields[name] = value


def overlay(earlier: dict[str, Any], later: dict[str, Any]) -> dict[str, Any]:
    """Return both dicts as one; blank values of ``later`` replace nothing."""
    merged = dict(earlier)
    for name, value in later.items():
        replace_value(merged, name, value)
    return merged


def append_delta(accumulated: Any, delta: Any, name: str = "") -> Any:
    """Return ``accumulated``, changed in place where it can be, with a further delta.

    Args:
        accumulated: What an earlier call returned, or None.
        delta: The value of the same field in the next chunk; it is not changed.
        name: The field's name.
    """
    if accumulated is not None and is_blank(delta):
        return accumulated
    if isinstance(delta, str):
        if name in _ATOMIC_FIELDS or name.endswith("_id"):
            return delta
        if isinstance(accumulated, list | dict):
            return _extend(accumulated, [{"type": "text", "text": delta}])
        if not isinstance(accumulated, TextBuffer):
            text = accumulated if isinstance(accumulated, str) else ""
            accumulated = TextBuffer(text)
        accumulated.add(delta)
        return accumulated
    if isinstance(delta, dict):
        if isinstance(accumulated, list) or _has_text(accumulated):
            return _extend(accumulated, [delta])
        return merge_delta(accumulated if isinstance(accumulated, dict) else {}, delta)
    if isinstance(delta, list) or isinstance(accumulated, list):
        items = delta if isinstance(delta, list) else []
        return _extend(accumulated, items, is_text=name in _TEXT_FIELDS)
    # A number or a flag in between is no end of a text.
    return accumulated if isinstance(accumulated, TextBuffer | dict) else delta


def merge_delta(accumulated: dict[str, Any], delta: dict[str, Any]) -> dict[str, Any]:
    """Append each field of a delta to a dict of accumulated fields, and return it."""
    for name, value in delta.items():
        if value is None:
            continue
        known = accumulated.get(name)
        # Some gateways repeat a function's name, as far as it has come.
        if name == "name" and known is not None and str(value).startswith(str(known)):
            known = None
        accumulated[name] = append_delta(known, value, name)
    return accumulated


def _has_text(accumulated: Any) -> bool:
    return isinstance(accumulated, TextBuffer) and bool(str(accumulated))


def _extend(accumulated: Any, items: list[Any], is_text: bool = False) -> list[Any]:
    """Return accumulated content as a list of parts, with further ones.

    Some gateways send text and parts in turn, and texts as parts.
    """
    parts: list[Any] = []
    if isinstance(accumulated, list):
        parts = accumulated
    elif isinstance(accumulated, dict):
        parts = [accumulated]
    elif _has_text(accumulated):
        parts = [{"type": "text", "text": accumulated}]
    for item in items:
        if not isinstance(item, dict):
            if is_text and isinstance(item, str):
                last = parts[-1] if parts else None
                if isinstance(last, TextBuffer):
                    last.add(item)
                    continue
                item = TextBuffer(item)
            parts.append(item)
            continue
        part = _find_part(parts, item)
        if part is None:
            # Unlike a field of a message, a part's null is part of its form.
            parts.append(merge_delta(dict.fromkeys(item), item))
        else:
            merge_delta(part, item)
    return parts


def _find_part(parts: list[Any], item: dict[str, Any]) -> dict[str, Any] | None:
    """Return the part that a delta's part carries on: that of its index, or the last.

    Without an index only text is carried on: two images in a row are two images.
    """
    index = item.get("index")
    if index is None:
        last = parts[-1] if parts else None
        return last if isinstance(last, dict) and _is_continued(last, item) else None
    for part in reversed(parts[-_MAX_OPEN_PARTS:]):
        if isinstance(part, dict) and part.get("index") == index:
            return part if _agree(part, item, ("type", "id")) else None
    return None


def _is_continued(part: dict[str, Any], item: dict[str, Any]) -> bool:
    if "index" in part or item.get("type", part.get("type")) != part.get("type"):
        return False
    has_text = any(
        isinstance(value, str)
        or (isinstance(value, list) and name != "text")
        or (isinstance(value, dict) and name == "text")
        for name, value in item.items()
        if name in _TEXT_FIELDS
    )
    return has_text and _agree(part, item, [n for n in item if n not in _TEXT_FIELDS])


def _agree(part: dict[str, Any], item: dict[str, Any], names: Any) -> bool:
    """Return whether two parts have the same scalar values, where both have one."""
    for name in names:
        known, value = part.get(name), item.get(name)
        if isinstance(value, dict | list) or is_blank(known) or is_blank(value):
            continue
        if (str(known) if isinstance(known, TextBuffer) else known) != value:
            return False
    return True


def finalize(accumulated: Any) -> Any:
    """Return an accumulated value as plain JSON values."""
    if isinstance(accumulated, TextBuffer):
        return str(accumulated)
    if isinstance(accumulated, dict):
        return {name: finalize(value) for name, value in accumulated.items()}
    if isinstance(accumulated, list):
        return [finalize(value) for value in accumulated]
    return accumulated
