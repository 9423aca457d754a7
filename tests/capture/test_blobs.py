"""Pictures, sound and files become markers; long text is cut."""

import hashlib
import json
from base64 import b64encode, urlsafe_b64encode
from typing import Any

import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.answers import chunk, completion
from support.scripted import ScriptedModel

from libretto_instrument import LibrettoConfig
from libretto_instrument._processing.media import truncate
from libretto_instrument.testing import CapturedEvents, capture_events

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 20
SOUND = b"RIFF\x24\x00\x00\x00WAVE" + bytes(range(256))
LIMIT = 1_000


def base64(data: bytes) -> str:
    return b64encode(data).decode()


def marker(media: str, data: bytes) -> str:
    return f"<{media}, {len(data)} bytes, sha256:{hashlib.sha256(data).hexdigest()}>"


def test_what_a_message_shows_becomes_markers(
    server: ScriptedModel, scripted: openai.OpenAI, events: CapturedEvents
) -> None:
    """Data URLs, sound and files in a request are markers in the event; the text around
    them stays, and OpenAI gets everything.
    """
    server.answer(completion())
    png, sound = base64(PNG), base64(SOUND)
    url = f"data:image/png;base64,{png}"
    parts: list[Any] = [
        {"type": "text", "text": f"Compare {url} with this one:"},
        {"type": "image_url", "image_url": {"url": url, "detail": "low"}},
        {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}},
        {"type": "input_audio", "input_audio": {"data": sound, "format": "wav"}},
        {"type": "file", "file": {"file_data": png, "filename": "a.pdf"}},
    ]
    messages: list[Any] = [{"role": "user", "content": parts}]
    scripted.chat.completions.create(model="gpt-test", messages=messages)
    assert server.requests[0].json["messages"] == messages
    (said,) = events[0]["promptTemplateChat"]
    assert said["content"] == [
        {"type": "text", "text": f"Compare {marker('image/png', PNG)} with this one:"},
        {
            "type": "image_url",
            "image_url": {"url": marker("image/png", PNG), "detail": "low"},
        },
        parts[2],
        {
            "type": "input_audio",
            "input_audio": {"data": marker("audio/wav", SOUND), "format": "wav"},
        },
        {
            "type": "file",
            "file": {"file_data": marker("application/pdf", PNG), "filename": "a.pdf"},
        },
    ]
    assert png not in json.dumps(events[0])


def test_what_the_model_says_aloud_becomes_a_marker(
    server: ScriptedModel, scripted: openai.OpenAI, events: CapturedEvents
) -> None:
    """Sound in an answer is a marker, whole and streamed; what it says stays."""
    spoken = {"id": "audio_1", "expires_at": 1, "transcript": "tennis"}
    server.answer(completion(None, audio={**spoken, "data": base64(SOUND)}))
    # Each piece of a stream is padded on its own.
    halves = SOUND[:100], SOUND[100:]
    server.stream(
        *(chunk(audio={"id": "audio_1", "data": base64(half)}) for half in halves),
        chunk(audio={"transcript": "tennis", "expires_at": 1}),
        chunk(finish="stop"),
    )
    ask: dict[str, Any] = {"model": "gpt-test", "messages": []}
    scripted.chat.completions.create(**ask)
    list(scripted.chat.completions.create(**ask, stream=True))
    for event in events:
        (choice,) = event["rawResponse"]["choices"]
        audio = choice["message"]["audio"]
        assert audio == {**spoken, "data": marker("audio/wav", SOUND)}
        assert event["response"] == "tennis"


def test_a_generated_image_becomes_a_marker() -> None:
    """The result of an image_generation_call is a marker; other results stay."""
    call = {"type": "image_generation_call", "result": base64(PNG), "id": "ig_1"}
    assert truncate(call, LIMIT)["result"] == marker("image/png", PNG)
    webp = {**call, "output_format": "webp"}
    assert truncate(webp, LIMIT)["result"] == marker("image/webp", PNG)
    other = {"type": "custom", "result": "abcd", "data": "abcd", "format": "wav"}
    assert truncate(other, LIMIT) == other


@pytest.mark.parametrize(
    "text",
    [
        "data:image/png;base64,{picture}",
        "data:text/plain,hello",
        "base64, as it is called",
        "QUJD" * 10,
    ],
)
def test_other_text_stays(text: str) -> None:
    """A placeholder in a data URL and text that only looks like base64 stay."""
    assert truncate({"text": text}, LIMIT) == {"text": text}


@pytest.mark.parametrize(
    ("url", "media"),
    [
        ("data:;base64,{}", "text/plain"),
        ("data:image/svg+xml;charset=utf-8;base64,{}", "image/svg+xml"),
        ("data:application/vnd.ms-excel;base64,{}", "application/vnd.ms-excel"),
    ],
)
def test_each_form_of_data_url(url: str, media: str) -> None:
    """With no type, with parameters, in either alphabet, in JSON in a string."""
    for encode in (b64encode, urlsafe_b64encode):
        text = json.dumps({"url": url.format(encode(PNG).decode())})
        assert truncate([text], LIMIT) == [json.dumps({"url": marker(media, PNG)})]


def test_the_cap_is_the_configuration() -> None:
    """A string over the cap keeps its first bytes and says how many there were."""
    text = "é" * 600
    digest = hashlib.sha256(text.encode()).hexdigest()
    cut = f"{'é' * 500}… <cut: 1200 bytes, sha256:{digest}>"
    assert truncate({"a": [text], "b": text[:500]}, LIMIT) == {
        "a": [cut],
        "b": text[:500],
    }
    for wrong in (0, -1):
        with pytest.raises(ValueError, match="max_field_bytes"):
            LibrettoConfig(max_field_bytes=wrong)


@pytest.mark.parametrize(("limit", "kept_bytes"), [(None, 262_144), (100, 100)])
def test_every_text_of_an_event_is_capped(
    server: ScriptedModel,
    scripted: openai.OpenAI,
    limit: int | None,
    kept_bytes: int,
) -> None:
    """Prompt, parameters, context, tools and answer: none keeps more than the cap."""
    long = "long " * 100_000
    server.answer(completion(long))
    with capture_events(max_field_bytes=limit, context={"note": long}) as events:
        scripted.chat.completions.create(
            model="gpt-test",
            messages=[{"role": "user", "content": long}],
            user=long,
            tools=[
                {"type": "function", "function": {"name": "f", "description": long}}
            ],
        )
    (event,) = events
    texts = [
        event["promptTemplateChat"][0]["content"],
        event["modelParameters"]["user"],
        event["context"]["note"],
        event["tools"][0]["function"]["description"],
        event["response"],
        event["rawResponse"]["choices"][0]["message"]["content"],
    ]
    for text in texts:
        assert text.startswith(long[:kept_bytes] + "… <cut: 500000 bytes, sha256:")
        assert len(text) < kept_bytes + 120


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=30),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(("audio", "data", "file_data", "format", "result", "type")),
            inner,
            max_size=4,
        )
    ),
)


@given(JSON)
def test_any_json_value_is_taken(value: Any) -> None:
    """Whatever stands in the known fields, nothing is raised and the form is kept."""
    seen = truncate(value, 10)
    assert type(seen) is type(value)
    if isinstance(value, dict):
        assert set(seen) == set(value)


@given(st.binary(min_size=1), st.integers(0, 3))
def test_size_and_hash_are_of_the_data(data: bytes, unpadded: int) -> None:
    """The placeholder describes the data itself, with or without base64's padding."""
    text = base64(data)
    text = text.rstrip("=") if unpadded else text
    assert truncate({"file_data": text}, LIMIT) == {
        "file_data": truncate({"file_data": base64(data)}, LIMIT)["file_data"]
    }
    assert (
        f"{len(data)} bytes, sha256:{hashlib.sha256(data).hexdigest()}"
        in (truncate({"file_data": text}, LIMIT)["file_data"])
    )


def test_redaction_leaves_markers_whole(
    server: ScriptedModel, scripted: openai.OpenAI
) -> None:
    """Digits of a hash that would pass for a telephone number are not taken for one."""
    data = bytes.fromhex("00046a0e")
    digest = hashlib.sha256(data).hexdigest()
    number = "0019135561841"
    assert digest.startswith(number)
    server.answer(completion())
    asked = f"Is data:image/png;base64,{base64(data)} or {number} a number?"
    with capture_events(redact_pii=True) as events:
        scripted.chat.completions.create(
            model="gpt-test", messages=[{"role": "user", "content": asked}]
        )
    (event,) = events
    (said,) = event["promptTemplateChat"]
    shown = marker("image/png", data)
    assert said["content"] == f"Is {shown} or <PHONE_NUMBER> a number?"
