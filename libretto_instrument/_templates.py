"""Rendered prompts that remember the template and the parameters they came from.

A placeholder is ``{name}``, the name made of letters, digits, ``_``, ``.``, ``[`` and
``]``; any other text in braces is literal, so JSON inside a prompt needs no escaping.
``\\{name\\}`` is an escaped placeholder and renders as ``{name}``.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

_NAME = r"[\w.\[\]]+"
_PLACEHOLDER = re.compile(rf"\\\{{(?P<escaped>{_NAME})\\\}}|\{{(?P<name>{_NAME})\}}")
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
        """
        values = dict(params or {})
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

    Messages appended later are sent, and recorded behind the template's.

    Attributes:
        template: The messages with their placeholders unfilled.
        params: The parameters by name.
    """

    template: list[Any]
    params: dict[str, Any]

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
        """
        self.template = list(template)
        self.params = dict(params or {})
        super().__init__(_render_messages(self.template, self.params))
        self._rendered = len(self)

    @property
    def appended(self) -> list[Any]:
        """The messages added since the template was rendered."""
        return self[self._rendered :]


def _render_messages(template: list[Any], params: dict[str, Any]) -> list[Any]:
    messages: list[Any] = []
    for message in template:
        if isinstance(message, Mapping) and message.get("role") == "chat_history":
            messages.extend(_history(message, params))
        else:
            messages.append(_spoken_to_openai(_render(message, params)))
    return messages


def _history(message: Mapping[str, Any], params: dict[str, Any]) -> list[Any]:
    """Return the messages that the placeholders of a ``chat_history`` message name."""
    content = message.get("content")
    found = list(_PLACEHOLDER.finditer(content)) if isinstance(content, str) else []
    names = [match["name"] for match in found]
    if not names or None in names or _PLACEHOLDER.sub("", str(content)).strip():
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

    return _PLACEHOLDER.sub(fill, template)


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
