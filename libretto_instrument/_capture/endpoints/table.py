"""How each endpoint's requests and answers are laid out."""

from collections.abc import Callable
from typing import Any, NamedTuple

from . import chat, decisions, response_events, responses
from .summary import ResponseSummary


class Endpoint(NamedTuple):
    """The layout of one endpoint.

    Attributes:
        name: What records call it.
        path: Its path, behind the base URL.
        input: The argument that may be a template object.
        input_fields: The arguments that become the template.
        template_fields: The settings that may give a template.
        labels: What the event's model parameters say of the endpoint.
        to_template: Returns the input, or a template given in its place, as a template,
            with the request's instructions.
        parse_response: Returns what a complete response says.
        merge_chunks: Returns the response that a stream's chunks amount to.
        has_content: Says whether a chunk brings any of the answer.
    """

    name: str
    path: str
    input: str
    input_fields: tuple[str, ...]
    template_fields: tuple[str, ...]
    labels: dict[str, str]
    to_template: Callable[[Any, dict[str, Any]], list[Any] | str]
    parse_response: Callable[[dict[str, Any]], ResponseSummary]
    merge_chunks: Callable[[list[Any], dict[str, Any]], dict[str, Any]]
    has_content: Callable[[dict[str, Any]], bool]


CHAT = Endpoint(
    name="chat",
    path="/chat/completions",
    input="messages",
    input_fields=("messages",),
    template_fields=("template_chat",),
    labels={"modelType": "chat"},
    to_template=chat.messages_to_template,
    parse_response=chat.parse_response,
    merge_chunks=chat.merge_chunks,
    has_content=chat.has_content,
)

COMPLETION = CHAT._replace(
    name="completion",
    path="/completions",
    input="prompt",
    input_fields=("prompt",),
    template_fields=("template_text",),
    labels={"modelType": "completion"},
    to_template=chat.prompt_to_template,
    merge_chunks=chat.merge_text_chunks,
)

RESPONSES = Endpoint(
    name="responses",
    path="/responses",
    input="input",
    input_fields=("input", "instructions"),
    template_fields=("template_chat", "template_text"),
    labels={"modelType": "chat", "modelApi": "responses"},
    to_template=responses.input_to_template,
    parse_response=responses.parse_response,
    merge_chunks=response_events.merge_events,
    has_content=responses.has_content,
)

DECISIONS = RESPONSES._replace(
    name="decisions",
    path="/decisions",
    input_fields=("input",),
    labels={"modelType": "chat", "modelApi": "decisions"},
    parse_response=decisions.parse_response,
    merge_chunks=decisions.merge_events,
    has_content=decisions.has_content,
)

#: By their names.
ENDPOINTS = {
    endpoint.name: endpoint for endpoint in (CHAT, COMPLETION, RESPONSES, DECISIONS)
}
