"""Personal data that a program sends to the model does not leave for Libretto."""

import json
import logging
from typing import Any

import openai
import pytest
from support.backend import Backend

import libretto_instrument as libretto
from libretto_instrument.demo import OfflineModel
from libretto_instrument.testing import capture_events
from libretto_openai import Client, LibrettoConfig

pytest.importorskip("phonenumbers", reason="the extra pii is not installed")

CARD = "4111 1111 1111 1111"
MAIL = "margaret.houlihan@example.com"
PHONE = "+1 415-555-2671"
SSN = "460-89-9847"
NAME = "Margaret Houlihan"
SECRETS = (CARD, MAIL, PHONE, SSN, NAME, "Houlihan", "555-2671", "4111111111")

SAID = f"Dear {NAME}, {MAIL}, {PHONE}, card {CARD}, SSN {SSN}."


def _everything(model: OfflineModel) -> None:
    """Say personal data in every place that a program can."""
    client = Client(
        api_key="sk-test",
        base_url=model.base_url,
        max_retries=0,
        libretto=LibrettoConfig(
            api_key="key",
            allow_unnamed_prompts=True,
            redact_pii=True,
            chat_id=MAIL,
            context={"user": NAME, MAIL: SSN},
        ),
    )
    tool = {
        "type": "function",
        "function": {
            "name": "write",
            "description": f"Write to {MAIL}",
            "parameters": {"type": "object", "properties": {"to": {"enum": [MAIL]}}},
        },
    }
    chat = libretto.TemplateChat(
        [
            {"role": "system", "content": f"You know {MAIL}"},
            {"role": "user", "content": "{x}"},
        ],
        {"x": SAID, MAIL: 4111111111111111},
    )
    client.chat.completions.create(model="m", messages=chat, user=MAIL)
    client.chat.completions.create(
        model="m", messages=[{"role": "user", "content": SAID}], tools=[tool]
    )
    list(
        client.chat.completions.create(
            model="m", messages=[{"role": "user", "content": SAID}], stream=True
        )
    )
    raw = client.chat.completions.with_raw_response.create(
        model="m", messages=[{"role": "user", "content": SAID}]
    )
    client.completions.create(
        model="m", prompt=libretto.TemplateText("{x}", {"x": SAID})
    )
    if hasattr(client, "responses"):  # Versions before 1.66 do not have it.
        client.responses.create(model="m", instructions=SAID, input=SAID)
    with pytest.raises(openai.OpenAIError):
        client.chat.completions.create(
            model="offline-error-400", messages=[{"role": "user", "content": SAID}]
        )
    key = libretto.feedback_key(raw)
    assert key is not None
    client.send_feedback(key, rating=0.5, better_response=SAID)
    client.update_chain("0b9b2a3e-6d5c-4c1e-9a51-6f0d5f0a7e11", {"said": SAID})
    client.close()


def test_nothing_leaks_over_the_wire_or_into_the_log(
    model: OfflineModel, backend: Backend, caplog: pytest.LogCaptureFixture
) -> None:
    """Planted personal data is in no byte that is posted and in no log line."""
    caplog.set_level(logging.DEBUG)
    _everything(model)
    assert libretto.flush(timeout=20)
    bodies = [
        body for kind in ("event", "feedback", "chain") for body in backend.stored(kind)
    ]
    assert len(bodies) == (9 if hasattr(openai.OpenAI, "responses") else 8)
    posted = json.dumps(bodies, ensure_ascii=False)
    log = "\n".join(
        record.getMessage()
        for record in caplog.records
        if record.name.startswith("libretto")
    )
    for secret in SECRETS:
        assert secret not in posted
        assert secret not in log
    for entity in ("PERSON", "EMAIL_ADDRESS", "PHONE_NUMBER", "CREDIT_CARD", "US_SSN"):
        assert f"<{entity}>" in posted


def test_the_callers_objects_are_not_touched(
    model: OfflineModel, backend: Backend
) -> None:
    """What is redacted is a copy: the program goes on with what it had."""
    client = Client(
        api_key="sk-test",
        base_url=model.base_url,
        libretto=LibrettoConfig("key", "name", redact_pii=True),
    )
    params = {"x": SAID}
    chat = libretto.TemplateChat([{"role": "user", "content": "{x}"}], params)
    with client:
        completion = client.chat.completions.create(model="m", messages=chat)
    assert libretto.flush(timeout=20)
    assert params == {"x": SAID}
    assert chat == [{"role": "user", "content": SAID}]
    assert NAME in (completion.choices[0].message.content or "")


@pytest.mark.parametrize("before", range(180, 220, 3))
def test_nothing_leaks_where_a_text_is_cut(before: int, model: OfflineModel) -> None:
    """Personal data that `max_field_bytes` cuts in two does not leave by half."""
    said = "well " * before + f"{MAIL} {CARD} {SSN}" + " well" * 300
    message: Any = {"role": "user", "content": said}
    with (
        capture_events(redact_pii=True, max_field_bytes=1_000) as events,
        openai.OpenAI(api_key="sk", base_url=model.base_url) as client,
    ):
        client.chat.completions.create(model="m", messages=[message])
    (message,) = events[0]["promptTemplateChat"]
    assert "<cut: " in message["content"]
    assert message["content"].startswith("well well")
    for part in ("margaret", "4111", "460-8"):
        assert part not in message["content"]
