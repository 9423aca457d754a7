"""How each endpoint's requests and answers are laid out."""

import json
from collections.abc import Callable
from typing import Any

from attrs import frozen

from ..._config.settings import CallSettings
from . import chat, decisions, response_events, responses
from .summary import ResponseSummary

Template = list[Any] | str


@frozen(eq=False)
class Endpoint:
    """The layout of one endpoint.

    Attributes:
        name: What records call it.
        input: The argument that may be a template object.
        input_fields: The arguments that become the template.
        labels: What the event's model parameters say of the endpoint.
        prompt_to_template: Returns the input, for a call without a template.
        wrap_template: Returns a template's messages with the request's instructions.
        template_from_settings: Returns the template of ``libretto=`` or a scope.
        parse_response: Returns what a whole response says.
        merge_chunks: Returns the response that a stream's chunks amount to.
        has_content: Says whether a chunk brings any of the answer.
    """

    name: str
    input: str
    input_fields: tuple[str, ...]
    labels: dict[str, str]
    prompt_to_template: Callable[[dict[str, Any]], Template]
    wrap_template: Callable[[Any, dict[str, Any]], Template]
    template_from_settings: Callable[[CallSettings], Template | None]
    parse_response: Callable[[dict[str, Any]], ResponseSummary]
    merge_chunks: Callable[[list[Any], dict[str, Any]], dict[str, Any]]
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


CHAT = Endpoint(
    name="chat",
    input="messages",
    input_fields=("messages",),
    labels={"modelType": "chat"},
    prompt_to_template=_messages,
    wrap_template=lambda template, request: template,
    template_from_settings=lambda settings: settings.template_chat,
    parse_response=chat.parse_response,
    merge_chunks=chat.merge_chunks,
    has_content=chat.has_content,
)

COMPLETION = Endpoint(
    name="completion",
    input="prompt",
    input_fields=("prompt",),
    labels={"modelType": "completion"},
    prompt_to_template=_prompt,
    wrap_template=lambda template, request: template,
    template_from_settings=lambda settings: settings.template_text,
    parse_response=chat.parse_response,
    merge_chunks=chat.merge_text_chunks,
    has_content=chat.has_content,
)

RESPONSES = Endpoint(
    name="responses",
    input="input",
    input_fields=("input", "instructions"),
    labels={"modelType": "chat", "modelApi": "responses"},
    prompt_to_template=responses.input_as_template,
    wrap_template=responses.wrap_template,
    template_from_settings=responses.template_from_settings,
    parse_response=responses.parse_response,
    merge_chunks=response_events.merge_events,
    has_content=responses.has_content,
)

DECISIONS = Endpoint(
    name="decisions",
    input="input",
    input_fields=("input",),
    labels={"modelType": "chat", "modelApi": "decisions"},
    prompt_to_template=responses.input_as_template,
    wrap_template=responses.wrap_template,
    template_from_settings=responses.template_from_settings,
    parse_response=decisions.parse_response,
    merge_chunks=decisions.merge_events,
    has_content=decisions.has_content,
)

#: By their names.
ENDPOINTS = {
    endpoint.name: endpoint for endpoint in (CHAT, COMPLETION, RESPONSES, DECISIONS)
}
