"""How each endpoint's requests and answers are laid out."""

import json
from collections.abc import Callable
from typing import Any

from attrs import frozen

from ..._config.settings import Settings
from . import chat, completions, responses
from .summary import Answer

Template = list[Any] | str


@frozen(eq=False)
class Shape:
    """The layout of one endpoint.

    Attributes:
        name: What records call it.
        input: The argument that may be a template object.
        inputs: The arguments that become the template.
        labels: What the event's model parameters say of the endpoint.
        plain: Returns the input, from the arguments, where there is no template.
        around: Returns a template's messages with what else the arguments say to the
            model.
        inline: Returns the template given in ``libretto=`` or a scope, or None.
        read: Returns what a whole response says.
        assemble: Returns the response that a stream's chunks amount to.
        has_content: Says whether a chunk brings any of the answer.
    """

    name: str
    input: str
    inputs: tuple[str, ...]
    labels: dict[str, str]
    plain: Callable[[dict[str, Any]], Template]
    around: Callable[[Any, dict[str, Any]], Template]
    inline: Callable[[Settings], Template | None]
    read: Callable[[dict[str, Any]], Answer]
    assemble: Callable[[list[Any]], dict[str, Any]]
    has_content: Callable[[dict[str, Any]], bool]


def _messages(request: dict[str, Any]) -> list[Any]:
    messages = request.get("messages")
    return messages if isinstance(messages, list) else [messages]


def _prompt(request: dict[str, Any]) -> str:
    """Return the prompt as text; the API takes lists of texts and of tokens, too."""
    prompt = request.get("prompt")
    if isinstance(prompt, str):
        return prompt
    if isinstance(prompt, list) and len(prompt) == 1 and isinstance(prompt[0], str):
        return prompt[0]
    return "" if prompt is None else json.dumps(prompt, ensure_ascii=False)


CHAT = Shape(
    name="chat",
    input="messages",
    inputs=("messages",),
    labels={"modelProvider": "openai", "modelType": "chat"},
    plain=_messages,
    around=lambda template, request: template,
    inline=lambda settings: settings.template_chat,
    read=chat.read,
    assemble=chat.assemble,
    has_content=chat.has_content,
)

COMPLETION = Shape(
    name="completion",
    input="prompt",
    inputs=("prompt",),
    labels={"modelProvider": "openai", "modelType": "completion"},
    plain=_prompt,
    around=lambda template, request: template,
    inline=lambda settings: settings.template_text,
    read=completions.read,
    assemble=completions.assemble,
    has_content=completions.has_content,
)

RESPONSES = Shape(
    name="responses",
    input="input",
    inputs=("input", "instructions"),
    labels={"modelProvider": "openai", "modelType": "chat", "modelApi": "responses"},
    plain=responses.plain,
    around=responses.around,
    inline=responses.inline,
    read=responses.read,
    assemble=responses.assemble,
    has_content=responses.has_content,
)

#: By their names.
SHAPES = {shape.name: shape for shape in (CHAT, COMPLETION, RESPONSES)}
