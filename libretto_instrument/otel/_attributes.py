"""Span attributes: those of the GenAI conventions, and Libretto's own.

Names follow version 1.41 of the conventions, which backends know; where it has none,
those of its successor.
"""

import json
import re
from collections.abc import Mapping
from typing import Any, TypeAlias

from .._templates import hash_template
from ._messages import (
    Body,
    input_messages,
    mapping_or_empty,
    mappings_in,
    output_messages,
    result_message,
    tool_definitions,
)

Value: TypeAlias = str | bool | int | float | list[str]
Attributes = dict[str, Value]

#: Request parameters copied as they are.
_REQUEST_NUMBERS = {
    "temperature": "gen_ai.request.temperature",
    "top_p": "gen_ai.request.top_p",
    "max_tokens": "gen_ai.request.max_tokens",
    "max_completion_tokens": "gen_ai.request.max_tokens",
    "max_output_tokens": "gen_ai.request.max_tokens",
    "frequency_penalty": "gen_ai.request.frequency_penalty",
    "presence_penalty": "gen_ai.request.presence_penalty",
    "seed": "gen_ai.request.seed",
}
#: Providers by the conventions' names for them, where these are others.
_PROVIDERS = {
    "azure": "azure.ai.openai",
    "gemini": "gcp.gemini",
    "mistral": "mistral_ai",
    "xai": "x_ai",
}
#: OpenAI's response formats, by the conventions' names.
_FORMATS = {"text": "text", "json_object": "json", "json_schema": "json"}

_CLASS = re.compile(r"[A-Za-z_][\w.]*(?=:|$)")
_MAX_INT64 = 2**63
#: Implausible values above these are left out.
_MAX_TOKENS = 2**50
_MAX_DURATION_MS = 10**10


def call_attributes(body: Body, *, content: bool) -> Attributes:
    """Return the attributes of a call's span; ``content`` adds prompt and response."""
    values: dict[str, Any] = {
        **identity_attributes(body),
        **_request(mapping_or_empty(body.get("modelParameters"))),
        **_response(body),
        **{f"gen_ai.usage.{name}": count for name, count in usage(body).items()},
        **_libretto_attributes(body),
        "error.type": error_type(body),
    }
    if content:
        values.update(_content(body))
    return _sanitize(values)


def chain_attributes(body: Body, *, content: bool) -> Attributes:
    """Return the attributes of a chain's span."""
    values: dict[str, Any] = {
        "gen_ai.operation.name": "invoke_workflow",
        "libretto.chain_id": body.get("id"),
    }
    if content:
        values["gen_ai.output.messages"] = [result_message(body.get("result"))]
    return _sanitize(values)


def feedback_attributes(body: Body, response_id: Any, *, content: bool) -> Attributes:
    """Return the attributes of an evaluation; ``content`` adds the better response."""
    values: dict[str, Any] = {
        "gen_ai.evaluation.name": "libretto.feedback",
        "gen_ai.evaluation.score.value": _as_float(body.get("rating")),
        "gen_ai.response.id": response_id,
        "libretto.feedback_key": body.get("feedback_key"),
    }
    if body.get("is_deleted"):
        values["gen_ai.evaluation.score.label"] = "deleted"
    if content:
        values["gen_ai.evaluation.explanation"] = body.get("better_response")
    return _sanitize(values)


def identity_attributes(body: Body) -> Attributes:
    """Return what spans and metrics share: operation, provider and models."""
    parameters = mapping_or_empty(body.get("modelParameters"))
    is_text = parameters.get("modelType") == "completion"
    provider = parameters.get("modelProvider") or "openai"
    return _sanitize(
        {
            "gen_ai.operation.name": "text_completion" if is_text else "chat",
            "gen_ai.provider.name": _PROVIDERS.get(str(provider), provider),
            "gen_ai.request.model": parameters.get("model"),
            "gen_ai.response.model": mapping_or_empty(body.get("rawResponse")).get(
                "model"
            ),
        }
    )


def usage(body: Body) -> dict[str, int]:
    """Return the tokens used, by the conventions' names for their kinds."""
    reported = mapping_or_empty(
        mapping_or_empty(body.get("responseMetrics")).get("usage")
    )
    inputs = reported.get("prompt_tokens_details", reported.get("input_tokens_details"))
    outputs = reported.get(
        "completion_tokens_details", reported.get("output_tokens_details")
    )
    counts = {
        "input_tokens": reported.get("prompt_tokens", reported.get("input_tokens")),
        "output_tokens": reported.get(
            "completion_tokens", reported.get("output_tokens")
        ),
        "cache_read.input_tokens": mapping_or_empty(inputs).get("cached_tokens"),
        "reasoning.output_tokens": mapping_or_empty(outputs).get("reasoning_tokens"),
    }
    return {
        name: count
        for name, count in counts.items()
        if isinstance(count, int) and 0 <= count < _MAX_TOKENS
    }


def duration_seconds(body: Body) -> float:
    """Return how long a call took, in seconds; 0 if that is not known."""
    milliseconds = body.get("responseTime")
    if (
        not isinstance(milliseconds, int | float)
        or not 0 <= milliseconds < _MAX_DURATION_MS
    ):
        return 0.0
    return milliseconds / 1000


def error_type(body: Body) -> str | None:
    """Return the class of the error that a call ended with, or None."""
    errors = errors_of(body)
    if not errors:
        return None
    named = _CLASS.match(errors[0])
    return named[0] if named else "_OTHER"


def errors_of(body: Body) -> list[str]:
    """Return the error messages."""
    errors = body.get("responseErrors")
    return [str(error) for error in errors] if isinstance(errors, list) else []


def _request(parameters: Body) -> dict[str, Any]:
    values: dict[str, Any] = {
        name: parameters[parameter]
        for parameter, name in _REQUEST_NUMBERS.items()
        if isinstance(parameters.get(parameter), int | float)
    }
    for name in ("temperature", "top_p", "frequency_penalty", "presence_penalty"):
        if f"gen_ai.request.{name}" in values:
            values[f"gen_ai.request.{name}"] = _as_float(parameters[name])
    stop = parameters.get("stop")
    values["gen_ai.request.stop_sequences"] = [stop] if isinstance(stop, str) else stop
    if parameters.get("n") != 1:
        values["gen_ai.request.choice.count"] = parameters.get("n")
    if parameters.get("stream"):
        values["gen_ai.request.stream"] = True
    effort = mapping_or_empty(parameters.get("reasoning")).get("effort")
    values["gen_ai.request.reasoning.level"] = parameters.get(
        "reasoning_effort", effort
    )
    previous = parameters.get("previous_response_id")
    values["gen_ai.request.previous_response.id"] = previous
    wanted = parameters.get("response_format") or mapping_or_empty(
        parameters.get("text")
    ).get("format")
    # A class given as the format was recorded as its schema.
    kind = mapping_or_empty(wanted).get("type", "json_schema") if wanted else None
    values["gen_ai.output.type"] = _FORMATS.get(str(kind))
    values["openai.request.service_tier"] = parameters.get("service_tier")
    if parameters.get("modelType") == "chat":
        api = parameters.get("modelApi") or "chat_completions"
        values["openai.api.type"] = api
    return values


def _response(body: Body) -> dict[str, Any]:
    raw, metrics = (
        mapping_or_empty(body.get(of)) for of in ("rawResponse", "responseMetrics")
    )
    first = metrics.get("time_to_first_token")
    return {
        "gen_ai.response.id": raw.get("id"),
        "gen_ai.response.finish_reasons": finish_reasons(body) or None,
        "gen_ai.response.time_to_first_chunk": (
            first / 1000 if isinstance(first, int | float) else None
        ),
        "openai.response.service_tier": raw.get("service_tier"),
        "openai.response.system_fingerprint": raw.get("system_fingerprint"),
        "server.address": metrics.get("server_address"),
        "server.port": metrics.get("server_port"),
        "libretto.stream_status": metrics.get("stream_status"),
    }


def finish_reasons(body: Body) -> list[str]:
    """Return why each choice ended; ``error`` where the end never came."""
    raw, metrics = (
        mapping_or_empty(body.get(of)) for of in ("rawResponse", "responseMetrics")
    )
    choices = mappings_in(raw.get("choices"))
    if choices:
        return [str(choice.get("finish_reason") or "error") for choice in choices]
    reason = metrics.get("finish_reason")
    if raw.get("status") == "completed" and not reason:
        reason = "stop"
    if reason is None and raw:
        reason = "error"
    return [] if reason is None else [str(reason)]


def _libretto_attributes(body: Body) -> dict[str, Any]:
    """Return Libretto's identifiers of a call."""
    template = body.get("promptTemplateChat", body.get("promptTemplateText"))
    name = body.get("promptTemplateName")
    # Without parameters it may be no template, but what was sent.
    version = hash_template(template) if body.get("params") else None
    return {
        "gen_ai.conversation.id": body.get("chatId"),
        "gen_ai.prompt.name": name,
        "gen_ai.prompt.version": version,
        "libretto.prompt_template_name": name,
        "libretto.template_hash": version,
        "libretto.chat_id": body.get("chatId"),
        "libretto.chain_id": body.get("chainId"),
        "libretto.event_id": body.get("promptEventId"),
        "libretto.feedback_key": body.get("feedbackKey"),
    }


def _content(body: Body) -> dict[str, Any]:
    params = mapping_or_empty(body.get("params"))
    return {
        "gen_ai.input.messages": input_messages(body) or None,
        "gen_ai.output.messages": output_messages(body, finish_reasons(body)) or None,
        "gen_ai.tool.definitions": tool_definitions(body) or None,
        **{f"gen_ai.prompt.variable.{name}": params[name] for name in params},
    }


def _as_float(value: Any) -> float | None:
    if not isinstance(value, int | float):
        return None
    return float(value) if abs(value) < _MAX_INT64 else None


def _sanitize(values: Mapping[str, Any]) -> Attributes:
    """Return the attributes that can be encoded, without those that are None."""
    return {
        name: value
        for name, raw_value in values.items()
        if raw_value is not None and (value := _to_encodable(raw_value)) is not None
    }


def _to_encodable(value: Any) -> Value | None:
    if isinstance(value, str):
        return sanitize_text(value)
    if isinstance(value, bool | float):
        return value
    if isinstance(value, int):
        return value if -_MAX_INT64 <= value < _MAX_INT64 else str(value)
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return [sanitize_text(item) for item in value]
    return _to_encodable(json.dumps(value, ensure_ascii=False, default=str))


def sanitize_text(text: str) -> str:
    """Return text that protobuf accepts, with lone surrogates replaced."""
    return text.encode("utf-8", "replace").decode()
