"""The replies of the offline model, for all APIs: a few plain rules."""

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from attrs import field, frozen

REFUSAL = "I am the offline model, and I was asked to refuse."

#: A value of each JSON type.
_EXAMPLES: dict[str, Any] = {
    "string": "text",
    "integer": 1,
    "number": 1.0,
    "boolean": True,
    "null": None,
    "array": [],
}
_MAX_SCHEMA_DEPTH = 8
_ERROR_MODEL = re.compile(r"offline-error-([45]\d\d)$")
_TYPES = {409: "conflict_error", 429: "rate_limit_error"}
_MAX_QUOTED_WORDS = 12

Json = dict[str, Any]
#: Returns the reply to everything that was said to the model, or None for the default.
ReplyFunction = Callable[[str], str | None]


@frozen
class ApiError(Exception):
    """A refused request: what is wrong, the HTTP status, the parameter at fault."""

    message: str
    status: int = 400
    type: str = "invalid_request_error"
    code: str | None = None
    param: str | None = None

    def body(self) -> dict[str, Any]:
        """Return the JSON body of the response."""
        fields = {"message": self.message, "type": self.type}
        return {"error": fields | {"param": self.param, "code": self.code}}


def raise_for_error_model(model: str) -> None:
    """Raise the error that a model's name, such as ``offline-error-429``, asks for."""
    if "no-such-model" in model:
        message = f"The model `{model}` does not exist or you do not have access to it."
        raise ApiError(message, status=404, code="model_not_found")
    if match := _ERROR_MODEL.match(model):
        status = int(match[1])
        default = "server_error" if status >= 500 else "invalid_request_error"
        raise ApiError(
            f"This error was requested by the model name {model}.",
            status=status,
            type=_TYPES.get(status, default),
            code="rate_limit_exceeded" if status == 429 else None,
        )


@frozen
class ModelRequest:
    """A request to a model, in no particular API's form.

    ``prompt`` is what the user said last, ``text`` all that was said, whose words are
    counted as tokens; ``tools`` are schemas by name, ``max_words`` limits the reply.
    """

    prompt: str
    text: str
    tools: Mapping[str, Json] = field(factory=dict)
    tool_choice: str | None = None
    schema: Json | None = None
    max_words: int | None = None

    @classmethod
    def of_chat(
        cls,
        messages: list[Json],
        functions: list[Json],
        instructions: str = "",
        response_format: Json | None = None,
        **options: Any,
    ) -> "ModelRequest":
        """Return the request of a conversation, its functions offered as tools."""
        texts = [_content_text(message.get("content")) for message in messages]
        roles = [message["role"] for message in messages]
        asked = [t for t, role in zip(texts, roles, strict=True) if role == "user"]
        return cls(
            prompt=(asked or texts or [""])[-1],
            text="\n".join([instructions, *texts]),
            tools={each["name"]: each.get("parameters") or {} for each in functions},
            schema=_requested_schema(response_format or {}),
            **options,
        )


@frozen
class ToolCall:
    """A function call; ``arguments`` is JSON."""

    name: str
    arguments: str


@frozen
class ModelReply:
    """A reply: a text, a refusal, or tool calls."""

    text: str = ""
    refusal: str | None = None
    calls: tuple[ToolCall, ...] = ()
    is_truncated: bool = False


@frozen
class Exchange:
    """A request's body, and a reply for each choice.

    ``created`` is in seconds since the epoch; ``prompt_tokens`` are words.
    """

    body: Json
    digest: str
    created: int
    replies: tuple[ModelReply, ...]
    prompt_tokens: int

    @property
    def completion_tokens(self) -> int:
        """Words of the replies."""
        texts: list[str] = []
        for reply in self.replies:
            arguments = (call.arguments for call in reply.calls)
            texts += [reply.text, reply.refusal or "", *arguments]
        return sum(map(count_tokens, texts))

    def make_id(self, prefix: str, salt: object = "") -> str:
        """Return an id that looks like OpenAI's, such as ``call_9f…``."""
        seed = f"{prefix}{salt}{self.digest}".encode()
        return prefix + hashlib.sha256(seed).hexdigest()[:24]


def generate_reply(
    request: ModelRequest, index: int = 0, reply: ReplyFunction | None = None
) -> ModelReply:
    """Return the reply to a request, always the same; ``reply`` may decide its text."""
    prompt = request.prompt.lower()
    if request.tools:
        calls = [
            ToolCall(name, _dump_example({"type": "object"} | request.tools[name]))
            for name in _choose_tools(request, "in parallel" in prompt)
        ]
        return ModelReply(calls=tuple(calls))
    if "please refuse" in prompt:
        return ModelReply(refusal=REFUSAL)
    text = reply(request.text) if reply else None
    if text is None and request.schema is not None:
        text = _dump_example(request.schema)
    if text is None:
        text = _quote(request.prompt, index)
    tokens = tokenize(text)
    kept = "".join(tokens[: request.max_words])
    return ModelReply(kept, is_truncated=kept != text)


def _choose_tools(request: ModelRequest, is_parallel: bool) -> list[str]:
    names = list(request.tools)
    if request.tool_choice is None:
        return (names if len(names) > 1 else names * 2) if is_parallel else names[:1]
    if request.tool_choice not in names:
        message = f"Tool choice '{request.tool_choice}' not found in 'tools'."
        raise ApiError(message, param="tool_choice")
    return [request.tool_choice]


def _quote(prompt: str, index: int) -> str:
    words = prompt.split()
    more = " …" if len(words) > _MAX_QUOTED_WORDS else ""
    which = f" ({index + 1})" if index else ""
    quoted = " ".join(words[:_MAX_QUOTED_WORDS])
    return f'The offline model{which} heard: "{quoted}{more}"'


def _dump_example(schema: Json) -> str:
    return dump_compact(_example(schema, schema))


def _example(schema: Any, root: Any, depth: int = 0) -> Any:
    """Return a value that fits the common forms of a JSON schema."""
    if depth > _MAX_SCHEMA_DEPTH:
        raise ApiError("Invalid schema: it is too deep.", code="invalid_schema")
    if not isinstance(schema, dict):
        return "text"
    if "$ref" in schema:
        found: Any = root
        for step in schema["$ref"].split("/")[1:]:
            found = found[step]
        return _example(found, root, depth + 1)
    if "const" in schema:
        return schema["const"]
    for key in ("enum", "examples"):
        if schema.get(key):
            return schema[key][0]
    for key in ("anyOf", "oneOf", "allOf"):
        if options := schema.get(key):
            null = {"type": "null"}
            return _example(null if null in options else options[0], root, depth + 1)
    properties = schema.get("properties", {})
    type_ = schema.get("type", "object" if properties else "string")
    if type_ == "object":
        names: Any = schema.get("required", properties)
        return {n: _example(properties.get(n), root, depth + 1) for n in names}
    return _EXAMPLES.get(type_[0] if isinstance(type_, list) else type_, "text")


def tokenize(text: str) -> list[str]:
    """Split text into words, each with the space before it."""
    return re.findall(r"\s*\S+|\s+$", text)


def split_json(text: str) -> list[str]:
    """Split JSON as the deltas of a streamed tool call do."""
    return [text[start : start + 7] for start in range(0, len(text), 7)]


def count_tokens(text: str) -> int:
    """Return the number of words."""
    return len(text.split())


def _content_text(content: Any) -> str:
    """Return the text of a message's content: a string, or a list of parts."""
    if isinstance(content, list):
        parts = [part.get("text") for part in content if isinstance(part, dict)]
        return "\n".join(part for part in parts if isinstance(part, str))
    return content if isinstance(content, str) else ""


def dump_compact(value: Any) -> str:
    """Return JSON without spaces."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _requested_schema(response_format: Json) -> Json | None:
    """Return the JSON schema that a response format asks for."""
    if response_format.get("type") == "json_schema":
        schema = response_format.get("json_schema", response_format).get("schema")
        return schema if isinstance(schema, dict) else {}
    if response_format.get("type") == "json_object":
        return {"properties": {"answer": {"type": "string"}}}
    return None
