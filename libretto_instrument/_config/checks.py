"""Checks of single settings. Each returns the value to keep, or raises."""

import inspect
import math
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from uuid import UUID

#: Takes the setting's name, for the message, and the value that was given.
Check = Callable[[str, Any], Any]


def _require(
    kind: type | tuple[type, ...], name: str, value: Any, expected: str
) -> Any:
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise TypeError(f"{name} must be {expected}, not {type(value).__name__}.")
    return value


def flag(name: str, value: Any) -> Any:
    """Accept True and False."""
    return _require(bool, name, value, "True or False")


#: Unnamed prompts are named by the function that calls the model.
CALLER = "caller"


def flag_or_caller(name: str, value: Any) -> Any:
    """Accept True, False and ``"caller"``."""
    if value == CALLER:
        return CALLER
    return _require(bool, name, value, f"True, False or {CALLER!r}")


def templates(name: str, value: Any) -> Any:
    """Accept what `load_templates` reads, and load it.

    Raises:
        ValueError: There are no templates.
        ImportError: There is no such module.
    """
    from .._recognition.known import load_templates

    try:
        return load_templates(value)
    except (ImportError, TypeError, ValueError) as exc:
        raise type(exc)(f"{name} holds no templates: {exc}") from exc


def text(name: str, value: Any) -> Any:
    """Accept a string."""
    return _require(str, name, value, "a string")


def id_to_str(value: str | UUID | None) -> str | None:
    """Return a UUID as text, which is what the API takes, and all else as it is."""
    return str(value) if isinstance(value, UUID) else value


def identifier(name: str, value: Any) -> Any:
    """Accept a string or a UUID."""
    return text(name, id_to_str(value))


class Secret(str):
    """A key: a string whose repr is masked, for tools that show local variables."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'***'"


def secret(name: str, value: Any) -> Any:
    """Accept a key, without the blanks or the newline that a file or a form adds.

    Raises:
        ValueError: It has characters that no key has. The message does not show it.
    """
    key: str = text(name, value).strip()
    if not key.isprintable():
        raise ValueError(
            f"{name} has line breaks or control characters: give the key alone."
        )
    return Secret(key)


def mapping(name: str, value: Any) -> Any:
    """Accept a mapping."""
    return _require(Mapping, name, value, "a mapping")


def messages(name: str, value: Any) -> Any:
    """Accept a list of chat messages."""
    return _require((list, tuple), name, value, "a list of messages")


def hook(name: str, value: Any) -> Any:
    """Accept a function from an event's body to a body, or None."""
    if not callable(value):
        raise TypeError(f"{name} must be callable: event dict → dict or None.")
    if inspect.iscoroutinefunction(value):
        raise TypeError(
            f"{name} must not be a coroutine function: it would not be awaited."
        )
    return value


def redactor(name: str, value: Any) -> Any:
    """Accept an object with the methods ``redact`` and ``analyze``."""
    methods = (getattr(value, method, None) for method in ("redact", "analyze"))
    if not all(map(callable, methods)):
        raise TypeError(f"{name} must have the methods redact(text) and analyze(text).")
    return value


def fraction(name: str, value: Any) -> Any:
    """Accept a number from 0 to 1."""
    _require((int, float), name, value, "a number")
    if not 0 <= value <= 1:
        raise ValueError(f"{name} must be between 0 and 1, not {value}.")
    return value


def count_of(unit: str) -> Check:
    """Return a check for a whole number of at least 1."""

    def count(name: str, value: Any) -> Any:
        _require(int, name, value, f"a number of {unit}")
        if value < 1:
            raise ValueError(f"{name} must be at least 1, not {value}.")
        return value

    return count


def seconds(name: str, value: Any) -> Any:
    """Accept a finite number of seconds, 0 included."""
    _require((int, float), name, value, "a number of seconds")
    if not 0 <= value < math.inf:
        raise ValueError(f"{name} must be finite and not negative, not {value}.")
    return value


def max_age(name: str, value: Any) -> Any:
    """Accept a finite number of seconds above 0."""
    if not seconds(name, value):
        raise ValueError(f"{name} must be above 0, or nothing is kept.")
    return value


def directory(name: str, value: Any) -> Any:
    """Accept a path, and make it absolute: the working directory may change later."""
    _require((str, os.PathLike), name, value, "a path")
    path = os.fspath(value)
    if not isinstance(path, str):
        raise TypeError(f"{name} must be a path of text, not of {type(path).__name__}.")
    if not path.strip() or not path.isprintable():
        raise ValueError(f"{name} must name a directory, not {path!r}.")
    return os.path.abspath(os.path.expanduser(path))


def exporters(name: str, value: Any) -> Any:
    """Accept a list of exporters that have a name each, and copy it."""
    from ..exporters._protocol import validate_exporters

    if isinstance(value, list):
        value = tuple(value)
    _require(tuple, name, value, "a list of exporters")
    validate_exporters(value)
    return value


def reject_unknown_fields(
    fields: Mapping[str, Any], known: Sequence[str] | frozenset[str], where: str
) -> None:
    """Raise a `TypeError` that names the nearest field, if one is unknown."""
    for name in fields:
        if name not in known:
            import difflib  # Only needed on a mistake, and it is slow to import.

            near = difflib.get_close_matches(str(name), known, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise TypeError(f"{where} has no field {name!r}.{hint}")
