"""The calls that are measured."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

from .canned import Answer, called, said, streamed

#: How many chunks a streamed answer has.
CHUNKS = 200

_QUESTION = "Explain to a ten-year-old how a rocket can fly where there is no air. " * 6
_ANSWER = "A rocket flies by throwing gas backwards, which pushes it forwards. " * 6
_CHAT = [
    {"role": "system", "content": "You are a patient teacher. Answer in short."},
    {"role": "user", "content": _QUESTION},
]
_MEGABYTE = 1_000_000


@dataclass(frozen=True)
class Case:
    """A call of a model, in the ways it can be made.

    Attributes:
        title: What the tables call it.
        answer: What the model says.
        request: Makes the arguments of one call, bare and recorded.
        extra: Makes the arguments that only a recorded call has.
        around: Makes the block that a recorded call is made in.
        mode: How Libretto is installed for it; see `libraries`.
        events: How many events a call is to bring.
        alone: Leave openai's own work out, and measure the recording by itself.
        size: How many calls are made in a row, bare or recorded, before it is the
            other's turn: about a tenth of a second's worth.
    """

    title: str
    answer: Answer
    request: Callable[[], dict[str, Any]]
    extra: Callable[[], dict[str, Any]] = dict
    around: Callable[[], AbstractContextManager[Any]] = nullcontext
    mode: str = "on"
    events: int = 1
    alone: bool = False
    size: int = 100


def _chat(messages: list[Any], **more: Any) -> dict[str, Any]:
    return {"model": "gpt-5.4-mini", "messages": messages, "temperature": 0.2, **more}


def _tool(name: str, *parameters: str) -> dict[str, Any]:
    return {
        "type": "function",
        "function": {
            "name": name,
            "description": f"Looks the {name} up in the course's book.",
            "parameters": {
                "type": "object",
                "properties": {one: {"type": "string"} for one in parameters},
                "required": list(parameters),
            },
        },
    }


_TOOLS = [_tool("thrust", "engine", "unit"), _tool("mass", "stage"), _tool("orbit")]


def _templated() -> dict[str, Any]:
    from libretto_instrument import TemplateChat

    template = [_CHAT[0], {"role": "user", "content": "Explain {what}. " + _QUESTION}]
    return _chat(TemplateChat(template, {"what": "rockets"}))


def _scope() -> AbstractContextManager[Any]:
    from libretto_instrument import scope

    return scope(prompt_template_name="scoped", chat_id="chat-1")


_said = said(_ANSWER)
_one_message = [{"role": "user", "content": "x" * _MEGABYTE}]
_many_messages = [{"role": "user", "content": "x" * (_MEGABYTE // 1_000)}] * 1_000


def _off(title: str, mode: str) -> Case:
    return Case(title, _said, lambda: _chat(_CHAT), mode=mode, events=0)


CASES: Mapping[str, Case] = {
    "chat": Case("chat", _said, lambda: _chat(_CHAT)),
    "alone": Case(
        "by itself, openai's own work left out",
        _said,
        lambda: _chat(_CHAT),
        alone=True,
    ),
    "stream": Case(
        f"stream of {CHUNKS} chunks",
        streamed(CHUNKS - 1),
        lambda: _chat(_CHAT, stream=True),
        size=10,
    ),
    "tools": Case(
        "three tools, two of them called",
        called({"thrust": {"engine": "F-1", "unit": "kN"}, "mass": {"stage": "1"}}),
        lambda: _chat(_CHAT, tools=_TOOLS),
    ),
    "megabyte": Case(
        "1 MB in one message", _said, lambda: _chat(_one_message), size=20
    ),
    "messages": Case(
        "1 MB in 1,000 messages", _said, lambda: _chat(_many_messages), size=2
    ),
    "template": Case("a template's messages", _said, _templated),
    "scope": Case("in a scope of its own", _said, lambda: _chat(_CHAT), around=_scope),
    "argument": Case(
        "with libretto=",
        _said,
        lambda: _chat(_CHAT),
        extra=lambda: {"libretto": {"prompt_template_name": "said", "chat_id": "1"}},
    ),
    "spool": Case(
        "on disk before it returns", _said, lambda: _chat(_CHAT), mode="spool"
    ),
    "relay": Case(
        "on disk, and sent by a relay", _said, lambda: _chat(_CHAT), mode="relay"
    ),
    "no key": _off("off: no API key", "no key"),
    "disabled": _off("off: enabled=False", "disabled"),
}

#: Those whose cost to the whole process is measured, too.
WHOLE = ("chat", "relay")
