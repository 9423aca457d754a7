"""The calls of the demonstration.

They work just as well unrecorded, so that a test can compare the requests of both.
"""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import openai
from attrs import frozen

import libretto_instrument as libretto

#: The default models: small ones.
CHAT_MODEL = "gpt-5.4-mini"
#: OpenAI retired its own; servers that speak its API have others.
TEXT_MODEL = "a-completion-model"

#: A model that does not exist.
MISSING_MODEL = "libretto-no-such-model"

_WEATHER: Any = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Tell the weather in a city.",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string", "examples": ["Lisbon"]}},
            "required": ["city"],
        },
    },
}


@frozen
class DemoClient:
    """A client of the ``openai`` package, and the models to ask."""

    client: openai.OpenAI
    chat_model: str = CHAT_MODEL
    text_model: str = TEXT_MODEL

    def chat(self, messages: Any, **options: Any) -> Any:
        """Ask for a chat completion."""
        options = {"model": self.chat_model, **options}
        return self.client.chat.completions.create(messages=messages, **options)


@frozen
class Expected:
    """An expected event: its prompt's name, and keys that must not be empty."""

    prompt: str
    required_keys: tuple[str, ...] = ("response", "rawResponse")


@frozen
class Scenario:
    """One thing that programs do with a model: its title, its calls, and what must
    arrive of them: events, feedback, or one chain with its result.
    """

    name: str
    run: Callable[[DemoClient], None]
    expected: tuple[Expected, ...]
    expects_rating: bool = False
    expects_chain: bool = False


def _ask(
    client: DemoClient,
    prompt: str,
    messages: Any,
    params: dict[str, Any],
    **options: Any,
) -> Any:
    """Make a chat call with the template of a prompt."""
    with libretto.scope(prompt_template_name=prompt):
        return client.chat(libretto.TemplateChat(messages, params), **options)


def _user(content: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": content}]


def _chat_template(client: DemoClient) -> None:
    system = {"role": "system", "content": "You answer with one emoji."}
    messages = [system, *_user("Which emoji stands for {sport}?")]
    _ask(client, "demo-sport-emoji", messages, {"sport": "tennis"}, temperature=0)


def _text_template(client: DemoClient) -> None:
    prompt = libretto.TemplateText(
        "Write a slogan for {product}:", {"product": "a quiet kettle"}
    )
    with libretto.scope(prompt_template_name="demo-slogan"):
        completions = client.client.completions
        completions.create(model=client.text_model, prompt=prompt, max_tokens=40)


def _stream(client: DemoClient) -> None:
    options = {"stream": True, "stream_options": {"include_usage": True}}
    messages = _user("Tell {listener} a story in one sentence.")
    params = {"listener": "a child"}
    with _ask(client, "demo-story", messages, params, **options) as stream:
        for _ in stream:
            pass


def _tool_call(client: DemoClient) -> None:
    messages: list[Any] = _user("Do I need an umbrella in Lisbon?")
    with libretto.scope(prompt_template_name="demo-weather"):
        message = client.chat(messages, tools=[_WEATHER]).choices[0].message
        messages.append(message.model_dump(exclude_none=True))
        messages += [
            {"role": "tool", "tool_call_id": call.id, "content": "Sunny, 24 °C"}
            for call in message.tool_calls or ()
        ]
        client.chat(messages, tools=[_WEATHER])


def _history(client: DemoClient) -> None:
    template = [
        {"role": "system", "content": "You help customers of {shop}."},
        {"role": "chat_history", "content": "{history}"},
        {"role": "user", "content": "{question}"},
    ]
    history: list[dict[str, str]] = []
    with libretto.scope(chat_id=uuid4()):
        for question in ("My kettle whistles.", "How do I stop it?"):
            params = {"shop": "Quiet Kettles", "history": history, "question": question}
            completion = _ask(client, "demo-support", template, params)
            answer = completion.choices[0].message.content
            history = [
                *history,
                *_user(question),
                {"role": "assistant", "content": answer},
            ]


def _chain(client: DemoClient) -> None:
    outline = _user("Name three points about {topic}.")
    draft = _user("Make one paragraph of this: {points}")
    with libretto.chain() as chain:
        first = _ask(client, "demo-outline", outline, {"topic": "tea"})
        points = first.choices[0].message.content
        second = _ask(client, "demo-draft", draft, {"points": points})
        chain.result = second.choices[0].message.content


def _feedback(client: DemoClient) -> None:
    messages = _user("Tell a joke about {subject}.")
    completion = _ask(client, "demo-joke", messages, {"subject": "kettles"})
    key = libretto.feedback_key(completion)
    # None when the call is not recorded.
    if key is not None:
        libretto.send_feedback(
            feedback_key=key, rating=0.2, better_response="Watched, it never boils."
        )


def _failure(client: DemoClient) -> None:
    messages, params = _user("Is anybody there, {name}?"), {"name": "model"}
    try:
        _ask(client, "demo-failure", messages, params, model=MISSING_MODEL)
    except openai.NotFoundError:
        return
    raise RuntimeError(f"The model {MISSING_MODEL} exists.")


SCENARIOS = (
    Scenario("a chat template", _chat_template, (Expected("demo-sport-emoji"),)),
    Scenario("a text template", _text_template, (Expected("demo-slogan"),)),
    Scenario("a stream", _stream, (Expected("demo-story"),)),
    Scenario(
        "a tool call",
        _tool_call,
        (
            Expected("demo-weather", ("tools", "toolCalls")),
            Expected("demo-weather", ("tools", "response")),
        ),
    ),
    Scenario(
        "a chat with history",
        _history,
        (
            Expected("demo-support", ("response", "chatId")),
            Expected("demo-support", ("response", "chatId")),
        ),
    ),
    Scenario(
        "a chain of two steps",
        _chain,
        (
            Expected("demo-outline", ("response", "chainId")),
            Expected("demo-draft", ("response", "chainId")),
        ),
        expects_chain=True,
    ),
    Scenario("feedback", _feedback, (Expected("demo-joke"),), expects_rating=True),
    Scenario(
        "a call that fails",
        _failure,
        (Expected("demo-failure", ("responseErrors",)),),
    ),
)
