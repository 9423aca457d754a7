"""capture_events(): what users' own tests see, and that nothing else changes."""

import gc
import threading
from typing import Any

import openai
import pytest
from support.backend import Backend

import libretto_instrument as libretto
from libretto_instrument import LibrettoConfig
from libretto_instrument.testing import CapturedEvents, capture_events

MESSAGES: Any = [{"role": "user", "content": "Hi there"}]


def greet(client: openai.OpenAI, model: str = "any", **options: Any) -> Any:
    """Do what a user's program does."""
    with libretto.scope(prompt_template_name="greeting"):
        return client.chat.completions.create(model=model, messages=MESSAGES, **options)


def test_events_as_libretto_gets_them(client: openai.OpenAI, backend: Backend) -> None:
    """A captured event is the body that would have been sent."""
    with capture_events(api_key="key") as events:
        greet(client)
    libretto.install(api_key="key")
    greet(client)
    assert libretto.flush(10)
    own = ("promptEventId", "feedbackKey", "responseTime")
    captured, sent = (
        {key: value for key, value in event.items() if key not in own}
        for event in (events[0], backend.events[0])
    )
    assert captured == sent


def test_nothing_is_sent(client: openai.OpenAI, backend: Backend) -> None:
    """Inside the block nothing is sent and no thread is started."""
    threads, before = set(threading.enumerate()), libretto.stats()
    with capture_events() as events:
        greet(client)
        libretto.send_feedback("key", rating=1)
        libretto.update_chain("chain", "result")
        started = set(threading.enumerate()) - threads
        assert not [each for each in started if each.name == "libretto-delivery"]
        assert libretto.flush(10)
    assert len(events) == 1
    assert libretto.stats() == before
    assert backend.connections == 0


def test_nothing_need_be_set(client: openai.OpenAI) -> None:
    """Neither a key nor a name is needed to see one's calls."""
    with capture_events() as events:
        client.chat.completions.create(model="any", messages=MESSAGES)
    assert events[0]["apiKey"] == "testing"
    assert events[0]["apiName"] is None


def test_a_growing_sequence(client: openai.OpenAI) -> None:
    """The events are a sequence, oldest first, that grows as calls end."""
    with capture_events() as events:
        assert (len(events), list(events)) == (0, [])
        with libretto.scope(chat_id="one"):
            greet(client)
        assert [event["chatId"] for event in events] == ["one"]
        with libretto.scope(chat_id="two"):
            greet(client)
    assert events[-1]["chatId"] == "two"
    assert [event["chatId"] for event in events[:1]] == ["one"]
    assert "'chatId': 'two'" in repr(events)


def test_feedback_and_results(client: openai.OpenAI) -> None:
    """Feedback and the results of chains are seen beside the events."""
    with capture_events(api_key="key") as events:
        with libretto.chain() as chain:
            key = libretto.feedback_key(greet(client))
            assert key is not None
            chain.result = "done"
        libretto.send_feedback(key, rating=0.5)
    assert events.feedback == [{"feedback_key": key, "apiKey": "key", "rating": 0.5}]
    assert events.chain_results == [{"id": chain.id, "apiKey": "key", "result": "done"}]


def test_a_stream_that_was_left(client: openai.OpenAI) -> None:
    """A stream that its loop left is among the events when one looks, not only when
    its garbage is collected."""
    with capture_events() as events:
        stream = greet(client, stream=True)
        for _ in stream:
            break
        assert len(events) == 1
        assert events[0]["responseMetrics"]["stream_status"] == "closed_early"
    stream.close()
    assert len(events) == 1


def test_configuration_of_the_block(client: openai.OpenAI) -> None:
    """The block's own configuration holds inside it, by value or by name."""
    config = LibrettoConfig(prompt_template_name="by value", chat_id="by value")
    with capture_events(config, chat_id="by name") as events:
        client.chat.completions.create(model="any", messages=MESSAGES)
    assert events[0]["apiName"] == "by value"
    assert events[0]["chatId"] == "by name"
    with pytest.raises(TypeError, match="Did you mean 'chat_id'"):
        capture_events(chatid="x").__enter__()  # type: ignore[call-arg]  # the point


def test_hooks_are_called(client: openai.OpenAI) -> None:
    """before_send changes or withholds captured events as it does those sent."""

    def hook(body: dict[str, Any]) -> dict[str, Any] | None:
        return None if body.get("chatId") == "secret" else {**body, "context": {"a": 1}}

    with capture_events(before_send=hook) as events:
        greet(client)
        with libretto.scope(chat_id="secret"):
            greet(client)
    assert [event["context"] for event in events] == [{"a": 1}]


def test_what_was_installed_stays(client: openai.OpenAI, backend: Backend) -> None:
    """What was installed before holds inside the block, and again after it."""
    libretto.install(api_key="installed", prompt_template_name="name", chat_id="chat")
    with capture_events(chat_id="of the block") as events:
        client.chat.completions.create(model="any", messages=MESSAGES)
    client.chat.completions.create(model="any", messages=MESSAGES)
    assert libretto.flush(10)
    assert [event["chatId"] for event in events] == ["of the block"]
    assert [event["chatId"] for event in backend.events] == ["chat"]
    for event in (*events, *backend.events):
        assert (event["apiKey"], event["apiName"]) == ("installed", "name")
    assert libretto.installed()


@pytest.mark.parametrize("key", [None, "given"])
def test_installing_inside(client: openai.OpenAI, backend: Backend, key: Any) -> None:
    """A program under test that installs, with a key or with none, is captured with
    what it installed, and what it installed is over with the block."""
    with capture_events() as events:
        libretto.install(api_key=key, chat_id="installed inside")
        client.chat.completions.create(model="any", messages=MESSAGES)
    assert [event["chatId"] for event in events] == ["installed inside"]
    assert events[0]["apiKey"] == (key or "testing")
    client.chat.completions.create(model="any", messages=MESSAGES)
    assert libretto.flush(10)
    assert len(events) == 1
    assert backend.received == []
    assert not libretto.installed()


def test_the_environment_says_it(
    client: openai.OpenAI, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A key is made up only where the environment does not say one either."""
    monkeypatch.setenv("LIBRETTO_API_KEY", "of the environment")
    with capture_events() as events:
        greet(client)
    assert events[0]["apiKey"] == "of the environment"


def test_blocks_nest(client: openai.OpenAI) -> None:
    """Of two blocks the inner one gets the events."""
    with capture_events(chat_id="outer", context={"a": 1}) as outer:
        greet(client)
        with capture_events(chat_id="inner") as inner:
            greet(client)
        greet(client)
    assert [event["chatId"] for event in inner] == ["inner"]
    assert [event["chatId"] for event in outer] == ["outer", "outer"]


def test_a_block_that_fails(client: openai.OpenAI) -> None:
    """After a block that raised, what was before holds again."""
    before = openai.resources.chat.Completions.__dict__["create"]
    with pytest.raises(openai.NotFoundError), capture_events() as events:
        greet(client, model="no-such-model")
    assert len(events) == 1
    assert openai.resources.chat.Completions.__dict__["create"] is before
    assert not libretto.installed()


def test_recording_may_be_off(client: openai.OpenAI) -> None:
    """A scope that suppresses recording does so inside the block, too."""
    with capture_events() as events, libretto.scope(enabled=False):
        greet(client)
    assert len(events) == 0


def test_a_fault_is_the_tests(
    client: openai.OpenAI, monkeypatch: pytest.MonkeyPatch, events: CapturedEvents
) -> None:
    """A hook that raises is swallowed as in production, and its event is not there."""
    monkeypatch.setattr("libretto_instrument._util.errors.reraise", False)

    def hook(body: dict[str, Any]) -> dict[str, Any]:
        raise LookupError

    with libretto.scope(before_send=hook):
        greet(client)
    assert len(events) == 0


def test_a_stream_that_ends_during_redaction(client: openai.OpenAI) -> None:
    """A stream that is collected while another event is redacted is captured, too."""
    kept: list[Any] = []

    class Redactor:
        def redact(self, text: str) -> str:
            if kept:
                kept.clear()
                gc.collect()
            return text

        def analyze(self, text: str) -> list[Any]:
            return []

    with capture_events(redact_pii=True, redactor=Redactor()) as events:
        stream = greet(client, stream=True)
        chunks = iter(stream)
        next(chunks)
        response = stream.response
        kept.extend((stream, chunks))
        del stream, chunks
        greet(client)
        response.close()  # openai 1 leaves it open.
    assert kept == []
    statuses = [event["responseMetrics"].get("stream_status") for event in events]
    assert statuses == [None, "closed_early"]


def test_a_hook_that_asks_a_model(client: openai.OpenAI) -> None:
    """What a hook asks a model itself is not recorded: that would never end."""

    def hook(body: dict[str, Any]) -> dict[str, Any]:
        greet(client)
        return body

    with capture_events(before_send=hook) as events:
        greet(client)
    assert len(events) == 1
