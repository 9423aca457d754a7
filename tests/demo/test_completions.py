"""Text completions of the offline model, as the real client reads them."""

from typing import Any

import openai
import pytest


def test_a_completion(client: openai.OpenAI) -> None:
    """A completion quotes its prompt and carries usage."""
    completion = client.completions.create(model="any", prompt="Hello you")
    (choice,) = completion.choices
    assert completion.model == "offline-model"
    assert 'heard: "Hello you"' in choice.text
    assert choice.finish_reason == "stop"
    assert completion.usage.prompt_tokens == 2


@pytest.mark.parametrize(
    ("prompt", "quoted"),
    [
        ("one", ["one"]),
        (["one", "two"], ["one", "two"]),
    ],
)
def test_every_kind_of_prompt(
    client: openai.OpenAI, prompt: Any, quoted: list[str]
) -> None:
    """Each prompt of a list gets n answers."""
    completion = client.completions.create(model="any", prompt=prompt, n=2)
    assert [choice.index for choice in completion.choices] == [*range(2 * len(quoted))]
    for choice in completion.choices:
        assert f'heard: "{quoted[choice.index // 2]}"' in choice.text


def test_a_streamed_completion_adds_up(client: openai.OpenAI) -> None:
    """The chunks add up to the text, usage included."""
    request: dict[str, Any] = {"model": "any", "prompt": "Hello you"}
    whole = client.completions.create(**request)
    text, usage = "", None
    for chunk in client.completions.create(
        **request, stream=True, stream_options={"include_usage": True}
    ):
        text += "".join(choice.text for choice in chunk.choices)
        usage = chunk.usage
    assert text == whole.choices[0].text
    assert usage == whole.usage


def test_a_limit_and_a_refusal(client: openai.OpenAI) -> None:
    """A limit and a refusal have their forms here, too."""
    (choice,) = client.completions.create(
        model="any", prompt="Hello", max_tokens=2
    ).choices
    assert choice.finish_reason == "length"
    assert choice.text == "The offline"
    (choice,) = client.completions.create(model="any", prompt="please refuse").choices
    assert "asked to refuse" in choice.text


@pytest.mark.parametrize("prompt", [[], [1, "one"], [None]])
def test_a_prompt_of_no_known_kind(client: openai.OpenAI, prompt: Any) -> None:
    """A prompt that is not a text is refused by name."""
    with pytest.raises(openai.BadRequestError, match="Invalid type for 'prompt'"):
        client.completions.create(model="any", prompt=prompt)
