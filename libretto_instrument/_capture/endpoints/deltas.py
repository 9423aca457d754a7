"""Values that come in pieces, put together in time linear in what came.

What grows is owned by whoever puts it together: text is kept in its pieces until it is
settled, lists are extended in place, and nothing that belongs to a chunk is changed.
"""

from typing import Any

__all__ = ["ATOMIC_FIELDS", "TextBuffer", "append_delta", "finalize"]

#: Fields that name something; all other text comes in pieces.
ATOMIC_FIELDS = frozenset(("role", "id", "type", "object", "model", "status", "format"))


class TextBuffer:
    """Text that grows."""

    def __init__(self, text: str = "") -> None:
        self._pieces = [text]

    def add(self, piece: str) -> None:
        """Add a piece at the end."""
        self._pieces.append(piece)

    def __str__(self) -> str:
        self._pieces = ["".join(self._pieces)]
        return self._pieces[0]


def append_delta(accumulated: Any, piece: Any) -> Any:
    """Return ``accumulated``, changed in place where it can be, with a further piece.

    Args:
        accumulated: What an earlier call returned, or None.
        piece: A piece of the same field, as a chunk has it; it is not changed.
    """
    if isinstance(accumulated, list):
        accumulated.extend(_parts(piece))
        return accumulated
    if isinstance(piece, list):
        return [*_parts(accumulated), *piece]
    if isinstance(piece, str):
        if not isinstance(accumulated, TextBuffer):
            return TextBuffer(piece)
        accumulated.add(piece)
        return accumulated
    if isinstance(piece, dict):
        return _merge_delta(accumulated if isinstance(accumulated, dict) else {}, piece)
    return piece if piece is not None else accumulated


def _merge_delta(merged: dict[str, Any], piece: dict[str, Any]) -> dict[str, Any]:
    for name, value in piece.items():
        if value is None:
            continue
        if name in ATOMIC_FIELDS:
            merged[name] = value
        elif name != "name" or finalize(merged.get(name)) != value:
            # Some gateways repeat a function's whole name with each of its pieces.
            merged[name] = append_delta(merged.get(name), value)
    return merged


def _parts(content: Any) -> list[Any]:
    """Return content as a list of parts: some gateways send text and parts in turn."""
    if isinstance(content, list):
        return content
    text = str(content) if isinstance(content, str | TextBuffer) else ""
    return [{"type": "text", "text": text}] if text else []


def finalize(accumulated: Any) -> Any:
    """Return what has accumulated as plain JSON values."""
    if isinstance(accumulated, TextBuffer):
        return str(accumulated)
    if isinstance(accumulated, dict):
        return {
            name: value if name in ATOMIC_FIELDS else finalize(value)
            for name, value in accumulated.items()
        }
    return accumulated
