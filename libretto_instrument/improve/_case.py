"""A case: a recorded call with a target, the answer that is wanted."""

import json
import math
import re
from collections.abc import Mapping
from contextlib import suppress
from types import UnionType
from typing import Any, get_args, get_origin

import attrs
from attrs import field, frozen

from .._templates import hash_template, placeholders
from .._util.json import decode, encode
from ..redaction._entities import PRECEDENCE

#: Answers rated at least this are targets, unless told otherwise.
MIN_RATING = 0.75

#: What `modelParameters` says of the endpoint; all else are the request's arguments.
_LABELS = frozenset(
    ("modelProvider", "modelType", "modelApi", "inputType", "hasInstructions")
)

#: What stands in an event for what was not recorded, and what it means for a replay.
_SUBSTITUTES = {
    r"<[\w.+*-]+/[\w.+*-]+, \d+ bytes, sha256:[0-9a-f]{64}>": (
        "media were replaced by a placeholder"
    ),
    r"… <cut: \d+ bytes, sha256:[0-9a-f]{64}>": "a long string was cut",
    r"<REDACTION_FAILED>": "a string was withheld, as it could not be redacted",
    r"<\w+: an iterator, left unread>": "an iterator was not recorded",
    r"<nested too deeply>|<too many parts>": "a value was too large to record",
    r'"<\d+ bytes>"': "bytes were not recorded",
}
_SUBSTITUTE = re.compile("|".join(f"({pattern})" for pattern in _SUBSTITUTES))
#: What stands for a credential that was never recorded.
_MASKED = b"<SECRET>"
#: A text without one of these has no substitute; looked for first, as that is fast.
_TRACES = (b" bytes", b"_FAILED>", b"left unread>", b"too deeply>", b"many parts>")
_REDACTED = re.compile(f"<({'|'.join(PRECEDENCE)})>")


@frozen(kw_only=True)
class Case:
    """A recorded call and the answer that is wanted of it.

    Attributes:
        id: The event's id.
        prompt: The name of the prompt template; None if the call had none.
        endpoint: ``"chat"``, ``"completion"`` or ``"responses"``.
        template: The template: messages, or the text of a completion's prompt.
        template_hash: SHA-256 of the template, as the local Libretto shows it.
        params: The template's parameters; messages of a history among them.
        model: The model that was asked.
        provider: Whose it is, such as ``"openai"`` or ``"azure"``.
        model_parameters: The other arguments of the request, a response format among
            them, less the tools.
        tools: The tools that were offered.
        answer: What the model answered; tool calls are told as JSON.
        target: The answer that is wanted, in the same form.
        target_source: ``"better_response"`` or ``"rating"``.
        rating: The rating of the recorded answer, from 0 to 1.
        tokens_in: Tokens of the recorded request.
        tokens_out: Tokens of the recorded answer.
        response_time: How long the recorded call took, in milliseconds.
        input_type: ``"text"`` or ``"list"``: the form of the input, where the template
            does not tell.
        has_instructions: Whether the first message was given as ``instructions``.
        obstacle: Why the case can't be replayed; None if it can.
    """

    id: str
    prompt: str | None = None
    endpoint: str = "chat"
    template: list[Any] | str = field(repr=False)
    template_hash: str = field(repr=False)
    params: dict[str, Any] = field(factory=dict, repr=False)
    model: str | None = None
    provider: str = "openai"
    model_parameters: dict[str, Any] = field(factory=dict, repr=False)
    tools: list[Any] | None = field(default=None, repr=False)
    answer: str | None = field(default=None, repr=False)
    target: str
    target_source: str
    rating: float | None = None
    tokens_in: int | None = field(default=None, repr=False)
    tokens_out: int | None = field(default=None, repr=False)
    response_time: float | None = field(default=None, repr=False)
    input_type: str | None = field(default=None, repr=False)
    has_instructions: bool = field(default=False, repr=False)
    obstacle: str | None = None

    @property
    def history(self) -> list[Any]:
        """The messages that the template's ``chat_history`` splices in."""
        messages = self.template if isinstance(self.template, list) else []
        names = [
            name
            for message in messages
            if isinstance(message, Mapping) and message.get("role") == "chat_history"
            for name in placeholders(message.get("content"))
        ]
        lists = (self.params.get(name) for name in names)
        return [item for each in lists if isinstance(each, list) for item in each]

    @property
    def response_format(self) -> Any:
        """The response format that was asked for, or None."""
        text = self.model_parameters.get("text")
        parsed = self.model_parameters.get("text_format")
        wanted = self.model_parameters.get("response_format", parsed)
        return wanted or (text.get("format") if isinstance(text, dict) else None)

    @property
    def is_replayable(self) -> bool:
        """Whether the request can be made again as it was."""
        return self.obstacle is None

    @property
    def is_redacted(self) -> bool:
        """Whether something was redacted in the parameters, as far as one can see."""
        text = json.dumps([self.params, self.template, self.target])
        return bool(_REDACTED.search(text))

    @property
    def __name__(self) -> str:
        """What pytest calls a test that is parametrized with this case."""
        return f"{self.prompt or 'unnamed'}-{self.id[:8]}"

    def to_json(self) -> str:
        """Return the case as one line of JSON; what says nothing is left out."""
        values = attrs.asdict(self, recurse=False)
        present = {
            name: value
            for name, value in values.items()
            if value is not None and value is not False and value != {}
        }
        return json.dumps(present, ensure_ascii=False)


def case_from_json(line: str | bytes) -> Case:
    """Return the case of a line that `Case.to_json` wrote; refuse others.

    Raises:
        ValueError: The line is not a case; the message says what is wrong with it.
    """
    values = decode(line)
    if not isinstance(values, dict):
        raise ValueError("a case is a JSON object")
    values = {name: value for name, value in values.items() if value is not None}
    known = attrs.fields_dict(Case)
    if unknown := sorted(set(values) - set(known)):
        raise ValueError(f"a case has no field {unknown[0]!r}")
    values.setdefault("template_hash", hash_template(values.get("template")))
    for name in ("id", "template", "target"):
        if name not in values:
            raise ValueError(f"the field {name!r} is missing")
    values.setdefault("target_source", "better_response")
    return _check(Case(**values))


def _check(case: Case) -> Case:
    """Return a case whose fields are of the right types.

    Raises:
        ValueError: One is not; the message names it.
    """
    for name, attribute in attrs.fields_dict(Case).items():
        value = getattr(case, name)
        if not _is_of(value, attribute.type):
            raise ValueError(f"the field {name!r} is a {type(value).__name__}")
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f"the field {name!r} is not a finite number")
    messages = case.template if isinstance(case.template, list) else []
    if not all(isinstance(message, dict) for message in messages):
        raise ValueError("a message of the field 'template' is not an object")
    if case.endpoint not in ("chat", "completion", "responses"):
        raise ValueError(f"there is no endpoint {case.endpoint!r}")
    return case


def _is_of(value: Any, kind: Any) -> bool:
    """Say whether a value is of an annotated type; its items may be of any."""
    if isinstance(kind, UnionType):
        return any(_is_of(value, each) for each in get_args(kind))
    if kind is float:
        return isinstance(value, int | float)
    return isinstance(value, get_origin(kind) or kind)


def case_from_event(
    event: Mapping[str, Any],
    *,
    rating: float | None,
    better_response: str | None,
    min_rating: float = MIN_RATING,
) -> Case | None:
    """Return the case that an event and its feedback make; None without a target.

    ``min_rating`` is the least rating that makes the recorded answer the target.

    Raises:
        ValueError: What was recorded makes no case.
    """
    answer = answer_text(event)
    if better_response is not None:
        target, source = better_response, "better_response"
    elif rating is not None and rating >= min_rating and answer is not None:
        target, source = answer, "rating"
    else:
        return None
    parameters = event.get("modelParameters") or {}
    template = event.get("promptTemplateChat")
    if template is None:
        template = event.get("promptTemplateText", "")
    tokens_in, tokens_out = count_tokens(event)
    case = Case(
        id=event.get("promptEventId"),  # type: ignore[arg-type]
        prompt=event.get("promptTemplateName") or event.get("apiName"),
        endpoint=_endpoint(parameters),
        template=template,
        template_hash=hash_template(template),
        params=event.get("params") or {},
        model=parameters.get("model"),
        provider=parameters.get("modelProvider") or "openai",
        model_parameters={
            name: value
            for name, value in parameters.items()
            if name not in _LABELS and name != "model"
        },
        tools=event.get("tools"),
        answer=answer,
        target=target,
        target_source=source,
        rating=rating,
        tokens_in=tokens_in,
        tokens_out=tokens_out,
        response_time=event.get("responseTime"),
        input_type=parameters.get("inputType"),
        has_instructions=_has_instructions(event, template),
        obstacle=_obstacle(event, template),
    )
    return _check(case)


def _endpoint(parameters: Mapping[str, Any]) -> str:
    if parameters.get("modelApi") == "responses":
        return "responses"
    return "completion" if parameters.get("modelType") == "completion" else "chat"


def _has_instructions(event: Mapping[str, Any], template: Any) -> bool:
    """Say whether the first message was given to the Responses API as instructions."""
    parameters = event.get("modelParameters") or {}
    if "inputType" in parameters or parameters.get("modelApi") != "responses":
        return bool(parameters.get("hasInstructions"))
    # Recorded by another client: the API repeats the instructions in its answer.
    first = template[0] if isinstance(template, list) and template else {}
    instructions = (event.get("rawResponse") or {}).get("instructions")
    return bool(instructions) and first.get("role") == "system"


def _obstacle(event: Mapping[str, Any], template: Any) -> str | None:
    """Return why a call can't be made again, or None."""
    parameters = event.get("modelParameters") or {}
    for name in ("previous_response_id", "conversation"):
        if parameters.get(name):
            return f"it continues a conversation that the provider keeps ({name})"
    if parameters.get("modelApi") not in (None, "responses"):
        return f"calls of the API {parameters['modelApi']!r} are not made again"
    params = event.get("params") or {}
    settings = encode([parameters, event.get("tools")])
    text = encode([template, params]) + settings
    if any(trace in text for trace in _TRACES):
        found = _SUBSTITUTE.search(text.decode("utf-8", "replace"))
        if found:
            return list(_SUBSTITUTES.values())[(found.lastindex or 1) - 1]
    if _MASKED in settings:
        return "a credential among its parameters was masked"
    if not params and placeholders(template, escaped=True):
        return (
            r"it has an escaped placeholder (\{name\}) and no parameters, so whether "
            "it was a template can't be told"
        )
    return None


def answer_text(event: Mapping[str, Any]) -> str | None:
    """Return what the model answered: its text, or its tool calls as JSON."""
    calls = event.get("toolCalls")
    text = event.get("response")
    if not isinstance(calls, list) or not calls or text:
        return text if isinstance(text, str) else None
    return json.dumps([_tool_call(call) for call in calls], ensure_ascii=False)


def _tool_call(call: Any) -> Any:
    """Return a tool call without its id, which differs each time."""
    if not isinstance(call, dict):
        return call
    inner = call.get(call.get("type") or "function") or call.get("function") or call
    if not isinstance(inner, dict):
        return call
    arguments = inner.get("arguments", inner.get("input"))
    with suppress(TypeError, ValueError, RecursionError):
        arguments = json.loads(arguments or "")
    return {"name": inner.get("name"), "arguments": arguments}


def count_tokens(event: Mapping[str, Any]) -> tuple[int | None, int | None]:
    """Return the tokens of an event's request and of its answer, where it says so."""
    usage = (event.get("responseMetrics") or {}).get("usage")
    if not isinstance(usage, dict):
        return None, None
    pairs = (("prompt_tokens", "input_tokens"), ("completion_tokens", "output_tokens"))
    counts = [next((usage[n] for n in pair if n in usage), None) for pair in pairs]
    tokens_in, tokens_out = (c if isinstance(c, int) else None for c in counts)
    return tokens_in, tokens_out
