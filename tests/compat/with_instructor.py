"""instructor, which patches a client's method, too."""

from typing import Any

import instructor
import openai
from programs import Person, user
from sameness import Gateway

from libretto_instrument.testing import capture_events


def test_a_client_made_while_recording(running: Gateway) -> None:
    """A client that instructor took over while we were recording keeps our method: it
    is recorded once while recording is on, and not when it is off.
    """
    ask: dict[str, Any] = {
        "model": "any",
        "messages": user("Who?"),
        "response_model": Person,
    }
    with capture_events() as events:
        client = instructor.from_openai(openai.OpenAI())
        answer = client.create(**ask).model_dump()
        assert len(events) == 1
    assert client.create(**ask).model_dump() == answer
    assert len(events) == 1
