"""Background responses: one event each, with the answer, when it is there."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import openai
import pytest
from support.kept import Kept
from support.scripted import ScriptedModel
from support.versions import needs_responses

import libretto_instrument as libretto
from libretto_instrument import _capture
from libretto_instrument._capture import background
from libretto_instrument.testing import CapturedEvents

from .test_reach import RESPONSE

pytestmark = needs_responses

ASK: dict[str, Any] = {"model": "m", "input": "Which sport?", "background": True}


def answer(status: str, identity: str = "resp_1", **more: Any) -> dict[str, Any]:
    """Return a response in a status; only one that is completed has output."""
    output = RESPONSE["output"] if status == "completed" else []
    return {
        **RESPONSE,
        "id": identity,
        "status": status,
        "output": output,
        "background": True,
        **more,
    }


def events_of(status: str, start: int = 0) -> list[dict[str, Any]]:
    """Return the events of a stream that ends in a status."""
    created = {"type": "response.created", "response": answer("queued")}
    events = [created, {"type": f"response.{status}", "response": answer(status)}]
    return [{**event, "sequence_number": at} for at, event in enumerate(events)][start:]


@pytest.fixture(autouse=True)
def _none_left() -> Any:
    yield
    background._forget_in_child()


def test_a_poll_loop(server: ScriptedModel, scripted: Any, kept: Kept) -> None:
    """Polling makes one event, when the answer is there, with its feedback key."""
    for status in ("queued", "queued", "in_progress", "completed", "completed"):
        server.answer(answer(status))
    response = scripted.responses.create(**ASK)
    key = libretto.feedback_key(response)
    while response.status in ("queued", "in_progress"):
        assert not kept.calls
        response = scripted.responses.retrieve(response.id)
    assert libretto.feedback_key(response) == key
    scripted.responses.retrieve(response.id)
    event = kept.event
    assert event["response"] == '{"name": "tennis"}'
    assert event["feedbackKey"] == key
    assert event["promptTemplateChat"] == [{"role": "user", "content": "Which sport?"}]
    assert event["responseMetrics"]["status"] == "completed"
    assert event["modelParameters"]["background"] is True


async def test_async(server: ScriptedModel, ascripted: Any, kept: Kept) -> None:
    """So it does with an async client."""
    server.answer(answer("queued"))
    server.answer(answer("completed"))
    response = await ascripted.responses.create(**ASK)
    await ascripted.responses.retrieve(response.id)
    assert kept.event["responseMetrics"]["status"] == "completed"


@pytest.mark.parametrize("view", ["with_raw_response", "with_streaming_response"])
def test_raw(view: str, server: ScriptedModel, scripted: Any, kept: Kept) -> None:
    """Raw responses are read for the id and the answer, too."""
    server.answer(answer("queued"))
    server.answer(answer("completed"))
    scripted.responses.with_raw_response.create(**ASK)
    found = getattr(scripted.responses, view).retrieve("resp_1")
    if view == "with_streaming_response":
        with found as response:
            response.read()
    assert kept.event["response"] == '{"name": "tennis"}'


def test_retrieved_as_a_stream(
    server: ScriptedModel, scripted: Any, kept: Kept
) -> None:
    """A streamed ``retrieve()`` brings the answer when it ends."""
    server.answer(answer("queued"))
    server.stream(*events_of("completed"))
    response = scripted.responses.create(**ASK)
    seen = [event.type for event in scripted.responses.retrieve("resp_1", stream=True)]
    assert seen == ["response.created", "response.completed"]
    assert response.status == "queued"
    assert kept.event["response"] == '{"name": "tennis"}'


@pytest.mark.parametrize("way", ["plain", "stream"])
def test_a_stream_that_was_left(
    way: str, server: ScriptedModel, scripted: Any, kept: Kept
) -> None:
    """A stream left before its end, and taken up by its id, is one event."""
    server.stream(*events_of("completed"))
    for event in scripted.responses.create(**ASK, stream=True):
        identity = event.response.id
        break
    if way == "plain":
        server.answer(answer("completed"))
        scripted.responses.retrieve(identity)
    else:
        server.stream(*events_of("completed", start=1))
        stream = scripted.responses.retrieve(identity, stream=True, starting_after=0)
        assert [event.type for event in stream] == ["response.completed"]
    event = kept.event
    assert event["response"] == '{"name": "tennis"}'
    assert "stream_status" not in event["responseMetrics"]


def test_a_stream_read_to_its_end(
    server: ScriptedModel, scripted: Any, kept: Kept
) -> None:
    """A background stream that brings its answer is recorded at its end."""
    server.stream(*events_of("completed"))
    for _ in scripted.responses.create(**ASK, stream=True):
        pass
    assert kept.event["response"] == '{"name": "tennis"}'


@pytest.mark.parametrize("status", ["failed", "incomplete", "cancelled"])
def test_other_ends(
    status: str, server: ScriptedModel, scripted: Any, kept: Kept
) -> None:
    """A response that ends without an answer is recorded as it ended."""
    server.answer(answer("queued"))
    failure = {"code": "server_error", "message": "it broke"}
    server.answer(answer(status, error=failure if status == "failed" else None))
    scripted.responses.create(**ASK)
    scripted.responses.retrieve("resp_1")
    event = kept.event
    assert event["responseMetrics"]["status"] == status
    assert ("responseErrors" in event) is (status == "failed")


def test_cancelled(server: ScriptedModel, scripted: Any, kept: Kept) -> None:
    """``cancel()`` ends the call."""
    server.answer(answer("queued"))
    server.answer(answer("cancelled"))
    scripted.responses.create(**ASK)
    scripted.responses.cancel("resp_1")
    assert kept.event["responseMetrics"]["status"] == "cancelled"


def test_a_retrieve_that_fails(
    server: ScriptedModel, scripted: Any, kept: Kept
) -> None:
    """A request for the answer that fails changes nothing; the next one may not."""
    server.answer(answer("queued"))
    server.answer({"error": {"message": "busy"}}, status=503)
    server.answer(answer("completed"))
    scripted.responses.create(**ASK)
    with pytest.raises(openai.InternalServerError):
        scripted.responses.retrieve("resp_1")
    assert not kept.calls
    scripted.responses.retrieve("resp_1")
    assert "responseErrors" not in kept.event


def test_created_elsewhere(server: ScriptedModel, scripted: Any, kept: Kept) -> None:
    """A response that was not created here is not an event, however it is retrieved."""
    server.answer(answer("queued", "resp_mine"))
    server.answer(answer("completed", "resp_other"))
    server.answer({"data": [], "object": "list"})
    scripted.responses.create(**ASK)
    scripted.responses.retrieve("resp_other")
    list(scripted.responses.input_items.list("resp_mine"))
    assert not kept.calls


def test_never_retrieved(
    server: ScriptedModel, scripted: Any, events: CapturedEvents
) -> None:
    """A response that is never retrieved is recorded as it stood at shutdown."""
    libretto.install(api_key="k", allow_unnamed_prompts=True)
    server.answer(answer("queued"))
    server.answer(answer("in_progress"))
    scripted.responses.create(**ASK)
    scripted.responses.retrieve("resp_1")
    libretto.flush()
    assert not events
    libretto.shutdown()
    assert [event["responseMetrics"]["status"] for event in events] == ["in_progress"]


def test_bounds(
    server: ScriptedModel,
    scripted: Any,
    kept: Kept,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of too many the oldest is recorded, and so is what waits for too long."""
    monkeypatch.setattr(background, "MAX_OPEN", 2)
    for at in range(3):
        server.answer(answer("queued", f"resp_{at}"))
        scripted.responses.create(**ASK)
    assert [event["rawResponse"]["id"] for event in kept.events] == ["resp_0"]
    monkeypatch.setattr(background, "MAX_AGE", -1.0)
    _capture.finalize_streams()
    assert len(kept.calls) == 3


def test_answered_at_once(server: ScriptedModel, scripted: Any, kept: Kept) -> None:
    """Where a gateway answers at once, or refuses, the call is recorded at once."""
    server.answer(answer("completed"))
    server.answer({"error": {"message": "no background here"}}, status=400)
    scripted.responses.create(**ASK)
    with pytest.raises(openai.BadRequestError):
        scripted.responses.create(**ASK)
    assert len(kept.calls) == 2


def test_how_long_it_took(server: ScriptedModel, scripted: Any, kept: Kept) -> None:
    """The time is the model's, where the response says it, not the poll's."""
    server.answer(answer("queued"))
    server.answer(answer("completed", created_at=100, completed_at=100))
    scripted.responses.create(**ASK)
    first = background._open["resp_1"].record
    took = first.ended - first.started
    scripted.responses.retrieve("resp_1")
    assert kept.event["responseTime"] == pytest.approx(took * 1000, abs=0.01)


def test_the_end_of_the_process(tmp_path: Path, server: ScriptedModel) -> None:
    """A process that ends without the answer leaves an event that says so."""
    server.answer(answer("queued"))
    path = tmp_path / "events.jsonl"
    code = f"""
import openai, libretto_instrument as libretto
from libretto_instrument.exporters import JsonLinesExporter
exporter = JsonLinesExporter({str(path)!r})
libretto.install(allow_unnamed_prompts=True, exporters=[exporter])
client = openai.OpenAI(api_key="k", base_url={server.url!r})
client.responses.create(model="m", input="Which sport?", background=True)
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
    (line,) = path.read_text().splitlines()
    assert '"status":"queued"' in line.replace(" ", "")


def told_in_pieces() -> list[dict[str, Any]]:
    """Return the events of a stream that brings a text in four deltas."""
    events = [{"type": "response.created", "response": answer("in_progress")}]
    events += [
        {
            "type": "response.output_text.delta",
            "item_id": "msg_1",
            "output_index": 0,
            "content_index": 0,
            "delta": delta,
        }
        for delta in ("a", "b", "c", "d")
    ]
    return [{**event, "sequence_number": at} for at, event in enumerate(events)]


@pytest.mark.parametrize("after", [2, 1], ids=["next", "overlapping"])
def test_a_stream_that_was_left_twice(
    after: int, server: ScriptedModel, scripted: Any, kept: Kept
) -> None:
    """What two streams brought, which were both left, is recorded as one text."""
    told = told_in_pieces()
    server.stream(*told)
    server.stream(*told[after + 1 :])
    for event in scripted.responses.create(**ASK, stream=True):
        if event.sequence_number == 2:
            break
    read_until(3, scripted.responses.retrieve, after)
    background.finish_all()
    assert kept.event["response"] == "abc"


def test_a_stream_of_a_queued_response_that_was_left(
    server: ScriptedModel, scripted: Any, kept: Kept
) -> None:
    """What a stream brought that was asked for from a later event on is recorded."""
    server.answer(answer("queued"))
    server.stream(*told_in_pieces()[1:])
    scripted.responses.create(**ASK)
    read_until(2, scripted.responses.retrieve, 0)
    background.finish_all()
    assert kept.event["response"] == "ab"


def read_until(last: int, retrieve: Any, after: int) -> None:
    """Read a response's stream until an event, and leave it."""
    stream = retrieve("resp_1", stream=True, starting_after=after)
    for event in stream:
        if event.sequence_number == last:
            break
    stream.close()
