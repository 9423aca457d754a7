"""Rendered prompts that remember the template and the parameters they came from.

A placeholder is ``{name}``, the name made of letters, digits, ``_``, ``.``, ``[`` and
``]``; any other text in braces is literal, so JSON inside a prompt needs no escaping.
``\\{name\\}`` is an escaped placeholder and renders as ``{name}``.
"""

import hashlib
import json
import operator
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

_NAME = r"[\w.\[\]]+"
PLACEHOLDER = re.compile(rf"\\\{{(?P<escaped>{_NAME})\\\}}|\{{(?P<name>{_NAME})\}}")
_STEP = re.compile(r"\.?([^.\[\]]+)|\[([^\[\]]*)\]")
_MISSING = object()

#: How much of a template an error message quotes, in characters.
_QUOTED = 200


class TemplateError(RuntimeError):
    """A template cannot be rendered: a variable is missing or has the wrong shape.

    Attributes:
        variable: The placeholder's name, or None where the fault is another.
        template: The template, or the message of it, that failed.
    """

    def __init__(self, problem: str, template: object, variable: str | None) -> None:
        quoted = repr(template)
        if len(quoted) > _QUOTED:
            quoted = quoted[:_QUOTED] + "…"
        super().__init__(f"{problem} Template: {quoted}")
        self.template = template
        self.variable = variable


class TemplateText(str):
    """A string rendered from a template; usable wherever a string is.

    Attributes:
        template: The text with its placeholders unfilled.
        params: The parameters by name.
    """

    template: str
    params: dict[str, Any]

    def __new__(
        cls, template: str, params: Mapping[str, Any] | None = None
    ) -> "TemplateText":
        """Render ``template``.

        Args:
            template: The text, with ``{placeholders}``.
            params: A value for each placeholder; more than are used is fine.

        Raises:
            TemplateError: A placeholder has no value in ``params``.
            TypeError: An argument is of another type.
        """
        if not isinstance(template, str):
            kind = type(template).__name__
            raise TypeError(f"TemplateText takes a text as its template, not {kind}.")
        values = _copy_params(params)
        self = super().__new__(cls, _render_text(template, values))
        self.template = template
        self.params = values
        return self

    def __getnewargs__(self) -> tuple[str, dict[str, Any]]:  # type: ignore[override]
        # str's own would render the rendered text again when copied or unpickled.
        return (self.template, self.params)


#: The older name of `TemplateText`.
TemplateString = TemplateText


class TemplateChat(list[Any]):
    """A list of chat messages rendered from a template; usable as ``messages=``.

    Every string in the messages is rendered, at any depth. The role ``ai`` becomes
    ``assistant``. A message of the role ``chat_history`` holds nothing but placeholders
    in its ``content``; each names a list of messages that takes its place.

    Messages appended later are sent, and recorded behind the template's. Where the list
    is changed otherwise, the rendered messages still in it are recorded as the template
    has them, all others as they stand.

    Attributes:
        template: The messages with their placeholders unfilled.
        params: The parameters by name.
    """

    template: list[Any]
    params: dict[str, Any]
    _runs: "list[_Run]"

    def __init__(
        self, template: Iterable[Any], params: Mapping[str, Any] | None = None
    ) -> None:
        """Render ``template``.

        Args:
            template: Messages, each a mapping with ``role`` and ``content``.
            params: A value for each placeholder; more than are used is fine.

        Raises:
            TemplateError: A placeholder has no value in ``params``, or a
                ``chat_history`` message is not made of placeholders for lists.
            TypeError: An argument is of another type.
        """
        if isinstance(template, str | bytes | Mapping) or not (
            isinstance(template, Iterable)
        ):
            kind = type(template).__name__
            raise TypeError(f"TemplateChat takes a list of messages, not {kind}.")
        self.template = list(template)
        self.params = _copy_params(params)
        self._runs = [
            ([message], _render_message(message, self.params))
            for message in self.template
        ]
        super().__init__(message for _, run in self._runs for message in run)

    @property
    def appended(self) -> list[Any]:
        """The messages added since the template was rendered."""
        return self[sum(len(run) for _, run in self._runs) :]

    @property
    def recorded(self) -> list[Any]:
        """The template of the messages as they are now.

        A rendered message is known by its identity. An entry of the template stands for
        the messages rendered from it where they all stand together, in order.
        """
        rendered = [message for _, run in self._runs for message in run]
        if _stands(rendered, self, 0):
            return [*self.template, *self[len(rendered) :]]
        recorded: list[Any] = []
        runs, at = _without_empty(self._runs), 0
        while at < len(self):
            entries, run = next(
                (found for found in runs if _stands(found[1], self, at)),
                ([self[at]], [self[at]]),
            )
            recorded.extend(entries)
            at += len(run)
        return recorded


def _copy_params(params: Mapping[str, Any] | None) -> dict[str, Any]:
    if params is not None and not isinstance(params, Mapping):
        raise TypeError(f"params must be a mapping, not {type(params).__name__}.")
    return dict(params or {})


def placeholders(template: Any, *, escaped: bool = False) -> list[str]:
    """Return the names of the placeholders in a template, at any depth.

    Args:
        template: Messages, or a text.
        escaped: Return the escaped ones instead.
    """
    if isinstance(template, str):
        group = "escaped" if escaped else "name"
        matches = PLACEHOLDER.finditer(template)
        return [match[group] for match in matches if match[group] is not None]
    if isinstance(template, Mapping):
        template = list(template.values())
    if not isinstance(template, list | tuple):
        return []
    return [name for item in template for name in placeholders(item, escaped=escaped)]


#: Entries of a template, and the messages that were rendered from them.
_Run = tuple[list[Any], list[Any]]


def _stands(run: list[Any], messages: list[Any], at: int) -> bool:
    """Say whether the very messages of a run stand at an index."""
    there = messages[at : at + len(run)]
    return len(there) == len(run) and all(map(operator.is_, there, run))


def _without_empty(runs: list[_Run]) -> list[_Run]:
    """Return the runs that have messages.

    An entry that rendered to none, a history yet empty, goes with the entry before it;
    at the beginning, with the one behind.
    """
    filled: list[_Run] = []
    leading: list[Any] = []
    for entries, run in runs:
        if run:
            filled.append(([*leading, *entries], run))
            leading = []
        elif filled:
            filled[-1][0].extend(entries)
        else:
            leading.extend(entries)
    return filled


def _render_message(message: Any, params: dict[str, Any]) -> list[Any]:
    """Return the messages that an entry of a template stands for."""
    if isinstance(message, Mapping) and message.get("role") == "chat_history":
        return _history(message, params)
    return [_spoken_to_openai(_render(message, params))]


def _history(message: Mapping[str, Any], params: dict[str, Any]) -> list[Any]:
    """Return the messages that the placeholders of a ``chat_history`` message name."""
    content = message.get("content")
    found = list(PLACEHOLDER.finditer(content)) if isinstance(content, str) else []
    names = [match["name"] for match in found]
    if not names or None in names or PLACEHOLDER.sub("", str(content)).strip():
        raise TemplateError(
            "The content of a chat_history message must be one or more placeholders "
            'and nothing else, such as "{history}".',
            message,
            None,
        )
    messages: list[Any] = []
    for name in names:
        value = _look_up(name, params, content)
        if isinstance(value, str | bytes) or not isinstance(value, Sequence):
            raise TemplateError(
                f"The chat_history variable {name!r} must be a list of messages, "
                f"not {type(value).__name__}.",
                content,
                name,
            )
        for item in value:
            if not isinstance(item, Mapping) and not hasattr(item, "role"):
                raise TemplateError(
                    f"The chat_history variable {name!r} must be a list of messages; "
                    f"it holds a {type(item).__name__}.",
                    content,
                    name,
                )
            messages.append(_spoken_to_openai(item))
    return messages


def _spoken_to_openai(message: Any) -> Any:
    """Return a message with the role that OpenAI knows; ``ai`` is ours alone."""
    if isinstance(message, Mapping) and message.get("role") == "ai":
        return {**message, "role": "assistant"}
    return message


def _render(value: Any, params: dict[str, Any]) -> Any:
    if isinstance(value, str):
        return _render_text(value, params)
    if isinstance(value, Mapping):
        return {key: _render(item, params) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_render(item, params) for item in value]
    return value


def _render_text(template: str, params: dict[str, Any]) -> str:
    def fill(match: re.Match[str]) -> str:
        escaped: str | None = match["escaped"]
        if escaped is not None:
            return "{" + escaped + "}"
        return str(_look_up(match["name"], params, template))

    return PLACEHOLDER.sub(fill, template)


def _look_up(name: str, params: dict[str, Any], template: object) -> Any:
    """Return the value of a placeholder: its very name first, then step by step."""
    if name in params:
        return params[name]
    value: Any = params
    for dotted, indexed in _STEP.findall(name):
        value = _step(value, dotted or indexed)
        if value is _MISSING:
            break
    if value is _MISSING or value is params:
        raise TemplateError(
            f"The variable {name!r} has no value; give it in the parameters, "
            f"or escape it as \\{{{name}\\}}.",
            template,
            name,
        )
    return value


def _step(value: Any, key: str) -> Any:
    if isinstance(value, Mapping):
        return value.get(key, _MISSING)
    if isinstance(value, Sequence) and not isinstance(value, str) and key.isdigit():
        index = int(key)
        return value[index] if index < len(value) else _MISSING
    # Names with an underscore in front lead into objects' insides, not to data.
    return _MISSING if key.startswith("_") else getattr(value, key, _MISSING)


def hash_template(template: Any) -> str:
    """Return the SHA-256 of a template, in hexadecimal: its version."""
    text = json.dumps(template, ensure_ascii=False, sort_keys=True)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def escape_unknown(template: Any, params: Mapping[str, Any]) -> Any:
    """Return a template with those placeholders escaped that no parameter is for.

    Args:
        template: Messages, or a text.
        params: The parameters; ``{user.name}`` is for one that is called ``user``.
    """

    def escape(match: re.Match[str]) -> str:
        name = match["name"]
        step = _STEP.match(name) if name is not None else None
        is_known = step is None or name in params or (step[1] or step[2]) in params
        return match[0] if is_known else f"\\{{{name}\\}}"

    if isinstance(template, str):
        return PLACEHOLDER.sub(escape, template)
    if isinstance(template, Mapping):
        return {key: escape_unknown(value, params) for key, value in template.items()}
    if isinstance(template, list | tuple):
        return [escape_unknown(item, params) for item in template]
    return template
