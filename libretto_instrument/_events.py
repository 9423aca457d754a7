"""The payloads that are posted to Libretto, and their JSON.

Libretto's field names are camelCase for events and snake_case for feedback.
"""

from typing import Any, ClassVar, Protocol

from attrs import field, frozen


class Payload(Protocol):
    """Anything that can be posted to Libretto."""

    @property
    def kind(self) -> str:
        """Which endpoint takes it: ``event``, ``feedback`` or ``chain``."""

    @property
    def id(self) -> str:
        """Identifies it, so that sending it twice is harmless."""

    @property
    def ordering_key(self) -> str | None:
        """Payloads with the same key arrive in the order in which they were made."""

    def to_json(self) -> dict[str, Any]:
        """Return the JSON body."""


@frozen(kw_only=True, repr=False)
class Event:
    """One call of a model.

    Attributes:
        event_id: UUID that makes a resend harmless.
        feedback_key: What later feedback refers to.
        api_name: The prompt template's name; None lets the server choose one.
        template_text: The prompt template of a completion.
        template_chat: The template messages of a chat.
        params: The template's parameters.
        model_parameters: The request's parameters, provider and type.
        response: The text of the first choice.
        response_time: Milliseconds from before the call to its end.
        tools: The request's tools.
        tool_calls: The calls of tools that the model made.
        raw_response: The response as the API gave it.
        response_metrics: Usage, finish reason, log probabilities, timing.
        response_errors: What went wrong.
    """

    kind: ClassVar[str] = "event"

    event_id: str
    feedback_key: str
    api_name: str | None
    model_parameters: dict[str, Any]
    response_time: float
    api_key: str | None = field(default=None, repr=False)
    project_key: str | None = field(default=None, repr=False)
    template_text: str | None = None
    template_chat: list[Any] | None = None
    params: dict[str, Any] = field(factory=dict)
    response: str | None = None
    tools: list[Any] | None = None
    tool_calls: list[Any] | None = None
    raw_response: dict[str, Any] | None = None
    response_metrics: dict[str, Any] | None = None
    response_errors: list[str] | None = None
    chat_id: str | None = None
    chain_id: str | None = None
    context: dict[str, Any] | None = None

    @property
    def id(self) -> str:
        return self.event_id

    @property
    def ordering_key(self) -> str | None:
        """The chain, whose result must not overtake its calls; else the chat."""
        return self.chain_id or self.chat_id

    def to_json(self) -> dict[str, Any]:
        """Return the body of ``POST /event``; keys with nothing to say are left out."""
        body = {
            "apiKey": self.api_key,
            "projectKey": self.project_key,
            "promptTemplateName": self.api_name,
            "promptTemplateText": self.template_text,
            "promptTemplateChat": self.template_chat,
            "response": self.response,
            "tools": self.tools,
            "toolCalls": self.tool_calls or None,
            "rawResponse": self.raw_response,
            "responseMetrics": self.response_metrics or None,
            "responseErrors": self.response_errors or None,
            "chatId": self.chat_id,
            "chainId": self.chain_id,
            "context": self.context or None,
        }
        return {
            "apiName": self.api_name,
            "promptEventId": self.event_id,
            "feedbackKey": self.feedback_key,
            "params": self.params,
            "prompt": {},
            "modelParameters": self.model_parameters,
            "responseTime": self.response_time,
            **{key: value for key, value in body.items() if value is not None},
        }


@frozen(kw_only=True, repr=False)
class Feedback:
    """A user's feedback on a response.

    Attributes:
        feedback_key: The key of the response's event.
        rating: From 0 (bad) to 1 (good).
        better_response: What the model should have said.
        is_deleted: True takes earlier feedback back.
    """

    kind: ClassVar[str] = "feedback"

    feedback_key: str
    api_key: str | None = field(repr=False)
    rating: float | None = None
    better_response: str | None = None
    is_deleted: bool = False

    @property
    def id(self) -> str:
        return self.feedback_key

    @property
    def ordering_key(self) -> str | None:
        return self.feedback_key

    def to_json(self) -> dict[str, Any]:
        """Return the body of ``POST /feedback``."""
        body: dict[str, Any] = {"feedback_key": self.feedback_key}
        if self.api_key is not None:
            body["apiKey"] = self.api_key
        if self.rating is not None:
            body["rating"] = self.rating
        if self.better_response is not None:
            body["better_response"] = self.better_response
        if self.is_deleted:
            body["is_deleted"] = True
        return body


@frozen(kw_only=True, repr=False)
class ChainResult:
    """The result of a chain of calls.

    Attributes:
        chain_id: The chain's UUID.
        result: Any JSON value.
    """

    kind: ClassVar[str] = "chain"

    chain_id: str
    api_key: str | None = field(repr=False)
    result: Any

    @property
    def id(self) -> str:
        return self.chain_id

    @property
    def ordering_key(self) -> str | None:
        return self.chain_id

    def to_json(self) -> dict[str, Any]:
        """Return the body of ``POST /v1/updateChain``."""
        key = {} if self.api_key is None else {"apiKey": self.api_key}
        return {"id": self.chain_id, **key, "result": self.result}
