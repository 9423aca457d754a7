"""Template objects stand wherever a prompt does."""

from openai.types.chat import ChatCompletion
from typing_extensions import assert_type

import libretto_instrument as libretto
from libretto_openai import Client, TemplateChat, TemplateString, TemplateText

client = Client()
text = TemplateText("Which emoji stands for {sport}?", {"sport": "curling"})
messages = TemplateChat(
    [{"role": "system", "content": "Be short."}, {"role": "user", "content": "{q}"}],
    {"q": "Why?"},
)


def right() -> None:
    """As messages, prompt, input and instructions; as string and list otherwise."""
    answer = client.chat.completions.create(model="m", messages=messages, libretto={})
    assert_type(answer, ChatCompletion)
    client.chat.completions.create(
        model="m", messages=[{"role": "user", "content": text}]
    )
    client.completions.create(model="m", prompt=text)
    client.completions.create(model="m", prompt=[text, text])
    client.responses.create(model="m", input=text, instructions=text)
    client.responses.create(model="m", input=messages, stream=True)
    client.chat.completions.with_raw_response.create(model="m", messages=messages)
    assert_type(text.upper(), str)
    assert_type(text.template, str)
    assert_type(TemplateString("Hi"), TemplateText)
    messages.append({"role": "user", "content": "And?"})


def wrong() -> None:
    """A chat's template is not a text, and a text's no chat."""
    # error: call-overload, reportArgumentType
    client.completions.create(model="m", prompt=7, libretto={})
    # error: arg-type, reportArgumentType
    TemplateText(messages)
    # error: arg-type, reportArgumentType
    TemplateText("Hi {name}", ["Ada"])
    # error: arg-type, reportArgumentType
    TemplateChat(messages, 7)
    # error: call-overload, reportArgumentType
    client.responses.create(model="m", input=text, instructions=messages)
    # error: arg-type, reportArgumentType
    libretto.TemplateChat(7)
