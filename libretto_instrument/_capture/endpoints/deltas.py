"""Values that come in pieces, put together in time linear in what came.

What grows is owned by whoever puts it together: text is kept in its pieces until it is
settled, lists are extended in place, and nothing that belongs to a chunk is changed.
"""

from typing import Any

__all__ = ["WHOLE", "Text", "grow", "settle"]

#: Fields that name something; all other text comes in pieces.
WHOLE = frozenset(("role", "id", "type", "object", "model", "status", "format"))


class Text:
    """Text, growing."""

    def __init__(self, text: str = "") -> None:
        self._pieces = [text]

    def add(self, piece: str) -> None:
        """Add a piece at the end."""
        self._pieces.append(piece)

    def __str__(self) -> str:
        self._pieces = ["".join(self._pieces)]
        return self._pieces[0]


def grow(grown: Any, piece: Any) -> Any:
    """Return ``grown``, changed in place where it can be, with a further piece.

    Args:
        grown: What an earlier call returned, or None.
        piece: A piece of the same field, as a chunk has it; it is not changed.
    """
    if isinstance(grown, list):
        grown.extend(_parts(piece))
        return grown
    if isinstance(piece, list):
        return [*_parts(grown), *piece]
    if isinstance(piece, str):
        if not isinstance(grown, Text):
            return Text(piece)
        grown.add(piece)
        return grown
    if isinstance(piece, dict):
        return _merge(grown if isinstance(grown, dict) else {}, piece)
    return piece if piece is not None else grown


def _merge(merged: dict[str, Any], piece: dict[str, Any]) -> dict[str, Any]:
    for name, value in piece.items():
        if value is None:
            continue
        if name in WHOLE:
            merged[name] = value
        elif name != "name" or settle(merged.get(name)) != value:
            # Some gateways repeat a function's whole name with each of its pieces.
            merged[name] = grow(merged.get(name), value)
    return merged


def _parts(content: Any) -> list[Any]:
    """Return content as a list of parts: some gateways send text and parts in turn."""
    if isinstance(content, list):
        return content
    text = str(content) if isinstance(content, str | Text) else ""
    return [{"type": "text", "text": text}] if text else []


def settle(grown: Any) -> Any:
    """Return what has grown as plain JSON values."""
    if isinstance(grown, Text):
        return str(grown)
    if isinstance(grown, dict):
        return {
            name: value if name in WHOLE else settle(value)
            for name, value in grown.items()
        }
    return grown
