"""What the demonstration does: calls as a program of the user's would make them.

Each scenario works just as well when nothing records it, so that a test can compare
the requests of both.
"""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import openai
from attrs import frozen

import libretto_instrument as libretto

#: What the scenarios ask unless told otherwise: the cheapest that OpenAI has.
CHAT_MODEL = "gpt-4o-mini"
TEXT_MODEL = "gpt-3.5-turbo-instruct"

#: A model that nobody has.
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
class Asker:
    """Who asks: a client, and the models that it has.

    Attributes:
        client: A client of the ``openai`` package.
        chat_model: The model for chats.
        text_model: The model for text completions.
    """

    client: openai.OpenAI
    chat_model: str = CHAT_MODEL
    text_model: str = TEXT_MODEL

    def chat(self, messages: Any, **options: Any) -> Any:
        """Ask for a chat completion."""
        options = {"model": self.chat_model, **options}
        return self.client.chat.completions.create(messages=messages, **options)

    def text(self, prompt: str, **options: Any) -> Any:
        """Ask for a text completion."""
        return self.client.completions.create(
            model=self.text_model, prompt=prompt, **options
        )


@frozen
class Expected:
    """An event that a scenario must leave at Libretto.

    Attributes:
        prompt: The prompt template's name.
        holds: The keys of the event that must say something.
    """

    prompt: str
    holds: tuple[str, ...] = ("response", "rawResponse")


@frozen
class Scenario:
    """One thing that programs do with a model.

    Attributes:
        name: What it is called.
        run: Does it.
        expects: The events that must arrive.
        rated: Whether one of them must arrive with feedback.
        chained: Whether they must arrive as one chain, with its result.
    """

    name: str
    run: Callable[[Asker], None]
    expects: tuple[Expected, ...]
    rated: bool = False
    chained: bool = False


def _chat_template(asker: Asker) -> None:
    messages = libretto.TemplateChat(
        [
            {"role": "system", "content": "You answer with one emoji."},
            {"role": "user", "content": "Which emoji stands for {sport}?"},
        ],
        {"sport": "tennis"},
    )
    with libretto.scope(prompt_template_name="demo-sport-emoji"):
        asker.chat(messages, temperature=0)


def _text_template(asker: Asker) -> None:
    prompt = libretto.TemplateText(
        "Write a slogan for {product}:", {"product": "a quiet kettle"}
    )
    with libretto.scope(prompt_template_name="demo-slogan"):
        asker.text(prompt, max_tokens=40)


def _stream(asker: Asker) -> None:
    messages = libretto.TemplateChat(
        [{"role": "user", "content": "Tell {listener} a story in one sentence."}],
        {"listener": "a child"},
    )
    with libretto.scope(prompt_template_name="demo-story"):
        stream = asker.chat(
            messages, stream=True, stream_options={"include_usage": True}
        )
    with stream:
        for _ in stream:
            pass


def _tool_call(asker: Asker) -> None:
    messages: list[Any] = [
        {"role": "user", "content": "Do I need an umbrella in Lisbon?"}
    ]
    with libretto.scope(prompt_template_name="demo-weather"):
        message = asker.chat(messages, tools=[_WEATHER]).choices[0].message
        messages.append(message.model_dump(exclude_none=True))
        messages += [
            {"role": "tool", "tool_call_id": call.id, "content": "Sunny, 24 °C"}
            for call in message.tool_calls or ()
        ]
        asker.chat(messages, tools=[_WEATHER])


def _history(asker: Asker) -> None:
    template = [
        {"role": "system", "content": "You help customers of {shop}."},
        {"role": "chat_history", "content": "{history}"},
        {"role": "user", "content": "{question}"},
    ]
    history: list[dict[str, str]] = []
    with libretto.scope(prompt_template_name="demo-support", chat_id=uuid4()):
        for question in ("My kettle whistles.", "How do I stop it?"):
            messages = libretto.TemplateChat(
                template,
                {"shop": "Quiet Kettles", "history": history, "question": question},
            )
            answer = asker.chat(messages).choices[0].message.content
            history = [
                *history,
                {"role": "user", "content": question},
                {"role": "assistant", "content": answer},
            ]


def _chain(asker: Asker) -> None:
    outline = libretto.TemplateChat(
        [{"role": "user", "content": "Name three points about {topic}."}],
        {"topic": "tea"},
    )
    with libretto.chain() as chain:
        with libretto.scope(prompt_template_name="demo-outline"):
            points = asker.chat(outline).choices[0].message.content
        draft = libretto.TemplateChat(
            [{"role": "user", "content": "Make one paragraph of this: {points}"}],
            {"points": points},
        )
        with libretto.scope(prompt_template_name="demo-draft"):
            chain.result = asker.chat(draft).choices[0].message.content


def _feedback(asker: Asker) -> None:
    messages = libretto.TemplateChat(
        [{"role": "user", "content": "Tell a joke about {subject}."}],
        {"subject": "kettles"},
    )
    with libretto.scope(prompt_template_name="demo-joke"):
        completion = asker.chat(messages)
    key = libretto.feedback_key(completion)
    # There is none when nobody records the call.
    if key is not None:
        libretto.send_feedback(
            feedback_key=key, rating=0.2, better_response="Watched, it never boils."
        )


def _failure(asker: Asker) -> None:
    messages = libretto.TemplateChat(
        [{"role": "user", "content": "Is anybody there, {name}?"}], {"name": "model"}
    )
    with libretto.scope(prompt_template_name="demo-failure"):
        try:
            asker.chat(messages, model=MISSING_MODEL)
        except openai.NotFoundError:
            pass
        else:
            raise RuntimeError(f"There is a model called {MISSING_MODEL}, after all.")


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
        chained=True,
    ),
    Scenario("feedback", _feedback, (Expected("demo-joke"),), rated=True),
    Scenario(
        "a call that fails",
        _failure,
        (Expected("demo-failure", ("responseErrors",)),),
    ),
)
