"""Event bodies as they should be, and as they came."""

import re
from typing import Any

import openai
from support.answers import MESSAGES
from support.backend import Backend

import libretto_instrument as libretto

UUID4 = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
)


def received(backend: Backend, number: int = 1) -> list[dict[str, Any]]:
    """Flush; return the bodies that arrived, with what is new each time checked."""
    assert libretto.flush()
    backend.wait_for(number)
    assert len(backend.events) == number
    return [split_delivery_options(event) for event in backend.events]


def split_delivery_options(event: dict[str, Any]) -> dict[str, Any]:
    """Check by form what no two events share, and take it out."""
    for name in ("promptEventId", "feedbackKey"):
        assert UUID4.fullmatch(event.pop(name))
    time = event.pop("responseTime")
    assert 0 < time < 60_000
    metrics = event.get("responseMetrics", {})
    if "time_to_first_token" in metrics:
        assert 0 < metrics.pop("time_to_first_token") <= time
    if metrics:
        assert metrics.pop("server_address") == "127.0.0.1"
        assert metrics.pop("server_port") > 0
    if not metrics:
        event.pop("responseMetrics", None)
    return event


def metrics_of(event: dict[str, Any]) -> dict[str, Any]:
    """Return an event's metrics without the address of the test's server."""
    place = ("server_address", "server_port")
    return {
        name: value
        for name, value in event["responseMetrics"].items()
        if name not in place
    }


def body(**more: Any) -> dict[str, Any]:
    """Return what every event of these tests has, and more."""
    return {
        "apiKey": "key-1",
        "apiName": "sport",
        "promptTemplateName": "sport",
        "params": {},
        "prompt": {},
        "promptTemplateChat": MESSAGES,
        "modelParameters": chat(),
        **more,
    }


def chat(**more: Any) -> dict[str, Any]:
    """Return the model parameters of a chat."""
    return {
        "model": "gpt-test",
        **more,
        "modelProvider": "openai",
        "modelType": "chat",
    }


def dumped(answer: Any) -> dict[str, Any]:
    """Return a response as the API sent it, without our mark on it."""
    whole: dict[str, Any] = answer.to_dict(mode="json")
    assert UUID4.fullmatch(whole.pop("libretto_feedback_key"))
    return whole


def ask(client: openai.OpenAI, **more: Any) -> Any:
    """Ask the usual question."""
    given = {"model": "gpt-test", "messages": MESSAGES, **more}
    return client.chat.completions.create(**given)
