"""What the offline model says: the same answer to the same request, always.

Nothing here knows how an answer is put on the wire. Two phrases in the last thing that
the user said steer it: ``in parallel`` has every tool called at once, and
``please refuse`` gets a refusal.
"""

import hashlib
import json
import re
from typing import Any

from attrs import evolve, frozen

from ._errors import ApiError
from ._schema import example

#: The name under which every answer is given, whatever model was asked for.
NAME = "offline-model"
FINGERPRINT = "fp_offline"

IN_PARALLEL = "in parallel"
REFUSE = "please refuse"

_QUOTED_WORDS = 12


@frozen
class Stamp:
    """What marks an answer: ids that follow from the request, and a time.

    Attributes:
        digest: A digest of the request's body.
        created: Unix time, in seconds.
    """

    digest: str
    created: int

    @classmethod
    def of(cls, raw: bytes, created: int) -> "Stamp":
        """Return the stamp of the request whose body is ``raw``."""
        return cls(hashlib.sha256(raw).hexdigest(), created)

    def id(self, prefix: str, salt: str = "") -> str:
        """Return an id that looks like OpenAI's, such as ``call_9f…``."""
        mark = hashlib.sha256(f"{prefix}{salt}{self.digest}".encode()).hexdigest()
        return prefix + mark[:24]


@frozen
class Tool:
    """A function that the model may call, and the JSON schema of its arguments."""

    name: str
    schema: dict[str, Any]


@frozen
class Ask:
    """A request, less how it was worded on the wire.

    Attributes:
        prompt: The last thing that the user said.
        words: How many words the whole input has; what is billed as its tokens.
        tools: The functions that the model may call, in order.
        must_call: The name of the function that it has to call, or None.
        schema: The JSON schema that the answer's text must hold to, or None.
        limit: The most words that the answer may have, or None.
    """

    prompt: str
    words: int
    tools: tuple[Tool, ...] = ()
    must_call: str | None = None
    schema: dict[str, Any] | None = None
    limit: int | None = None


@frozen
class Call:
    """A function call; ``arguments`` is JSON text."""

    name: str
    arguments: str


@frozen
class Reply:
    """One answer: a text, a refusal, or calls.

    Attributes:
        text: What is said; ``""`` when there is something else.
        refusal: Why nothing is said, or None.
        calls: The functions to call.
        cut: Whether the text was cut at the caller's limit.
    """

    text: str = ""
    refusal: str | None = None
    calls: tuple[Call, ...] = ()
    cut: bool = False

    @property
    def words(self) -> int:
        """How many words it has; what is billed as its tokens."""
        said = [self.text, self.refusal or "", *(call.arguments for call in self.calls)]
        return sum(count(text) for text in said)


def answer(ask: Ask, choice: int = 0) -> Reply:
    """Return the answer to a request.

    Args:
        ask: The request.
        choice: Which of several answers, from 0.

    Raises:
        ApiError: If a tool is demanded that is not there, or a schema cannot be met.
    """
    try:
        return _answer(ask, choice)
    except (ValueError, TypeError, KeyError, AttributeError) as exc:
        raise ApiError(f"Invalid schema: {exc}", code="invalid_schema") from exc


def _answer(ask: Ask, choice: int) -> Reply:
    wish = ask.prompt.lower()
    if ask.tools:
        return Reply(calls=tuple(_call(tool) for tool in _called(ask, wish)))
    if REFUSE in wish:
        return Reply(refusal="I am the offline model, and I was asked to refuse.")
    if ask.schema is not None:
        return Reply(text=compact(example(ask.schema)))
    reply = Reply(text=_words_for(ask.prompt, choice))
    said = pieces(reply.text)
    if ask.limit is not None and len(said) > ask.limit:
        return evolve(reply, text="".join(said[: ask.limit]), cut=True)
    return reply


def _called(ask: Ask, wish: str) -> list[Tool]:
    if ask.must_call is not None:
        named = [tool for tool in ask.tools if tool.name == ask.must_call]
        if not named:
            raise ApiError(
                f"Tool choice '{ask.must_call}' not found in 'tools' parameter.",
                param="tool_choice",
            )
        return named
    if IN_PARALLEL in wish:
        return list(ask.tools) if len(ask.tools) > 1 else [*ask.tools, *ask.tools]
    return [ask.tools[0]]


def _call(tool: Tool) -> Call:
    schema = {"type": "object", **tool.schema}
    return Call(tool.name, compact(example(schema)))


def _words_for(prompt: str, choice: int) -> str:
    quoted = prompt.split()
    short = " ".join(quoted[:_QUOTED_WORDS])
    if len(quoted) > _QUOTED_WORDS:
        short += " …"
    which = f" ({choice + 1})" if choice else ""
    return f'The offline model{which} heard: "{short}"'


def compact(value: Any) -> str:
    """Return ``value`` as JSON without spaces."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def encode(text: str) -> bytes:
    """Return ``text`` as UTF-8; a lone surrogate, which has no form in it, as ``?``."""
    return text.encode("utf-8", "replace")


def pieces(text: str) -> list[str]:
    """Split ``text`` into words, each with the space before it: nothing is lost."""
    return re.findall(r"\s*\S+|\s+$", text)


def fragments(text: str) -> list[str]:
    """Split JSON text as a stream of tool call deltas does: anywhere, not at words."""
    return [text[at : at + 7] for at in range(0, len(text), 7)]


def count(text: str) -> int:
    """Return how many words ``text`` has."""
    return len(text.split())


def text_of(content: Any) -> str:
    """Return the text of a message's content: a string, or a list of parts."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return ""
    parts = (part.get("text") for part in content if isinstance(part, dict))
    return "\n".join(part for part in parts if isinstance(part, str))
