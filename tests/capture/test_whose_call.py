"""Whose a call is: calls in calls, at once, in tasks, threads and scopes."""

import asyncio
import contextvars
import sys
import threading
from typing import Any

import openai
import pytest
from openai.resources.chat.completions import Completions
from support.answers import (
    MESSAGES,
    chunks,
    completion,
)
from support.kept import Kept
from support.scripted import ScriptedModel, until

import libretto_instrument as libretto
from libretto_instrument import _capture


def ask(client: openai.OpenAI, **more: Any) -> Any:
    """Ask the usual question."""
    return client.chat.completions.create(model="gpt-test", messages=MESSAGES, **more)


async def ask_async(client: openai.AsyncOpenAI, **more: Any) -> Any:
    """Ask the usual question."""
    return await client.chat.completions.create(
        model="gpt-test", messages=MESSAGES, **more
    )


def test_a_call_of_the_same_client_inside_is_part_of_it(
    monkeypatch: pytest.MonkeyPatch, server: ScriptedModel, scripted: openai.OpenAI
) -> None:
    """A recorded method that calls another on its client is one event."""
    original = Completions.create

    def parse(self: Completions, **kwargs: Any) -> Any:
        self.create(**kwargs)
        return original(self, **kwargs)

    monkeypatch.setattr(Completions, "parse", parse, raising=False)
    kept = Kept()
    _capture.patch(kept)
    server.answer(completion("inner"))
    server.answer(completion("outer"))
    completions: Any = scripted.chat.completions
    completions.parse(model="gpt-test", messages=MESSAGES)
    _capture.unpatch()
    assert [event["response"] for event in kept.events] == ["outer"]


def test_a_call_of_another_client_inside_is_its_own(
    monkeypatch: pytest.MonkeyPatch, server: ScriptedModel, scripted: openai.OpenAI
) -> None:
    """A call on a different client inside a recorded one is a second event."""
    original = Completions.create
    other = scripted.with_options(timeout=5)

    def parse(self: Completions, **kwargs: Any) -> Any:
        other.chat.completions.create(**kwargs)
        return original(self, **kwargs)

    monkeypatch.setattr(Completions, "parse", parse, raising=False)
    kept = Kept()
    _capture.patch(kept)
    server.answer(completion("inner"))
    server.answer(completion("outer"))
    completions: Any = scripted.chat.completions
    completions.parse(model="gpt-test", messages=MESSAGES)
    _capture.unpatch()
    assert [event["response"] for event in kept.events] == ["inner", "outer"]


def test_a_call_after_a_failed_one_is_its_own(
    kept: Kept, server: ScriptedModel, scripted: openai.OpenAI
) -> None:
    """A failure leaves nothing behind that would hide the next call."""
    server.answer({"error": {"message": "no"}}, status=400)
    server.answer(completion())
    with pytest.raises(openai.BadRequestError):
        ask(scripted)
    ask(scripted)
    assert len(kept.calls) == 2


def test_a_call_while_a_stream_is_open_is_its_own(
    kept: Kept, server: ScriptedModel, scripted: openai.OpenAI
) -> None:
    """A call made in the loop over a stream of the same client is a second event."""
    server.stream(*chunks("a"))
    server.answer(completion("inner"), times=3)
    for _ in ask(scripted, stream=True):
        ask(scripted)
    assert [event["response"] for event in kept.events] == ["inner"] * 3 + ["a"]


def test_the_sync_client_inside_a_running_loop(
    kept: Kept, server: ScriptedModel, scripted: openai.OpenAI
) -> None:
    """The sync client is recorded inside a running event loop."""
    server.answer(completion("tennis"))

    async def main() -> Any:
        return ask(scripted)

    assert asyncio.run(main()).choices[0].message.content == "tennis"
    assert kept.event["response"] == "tennis"


async def test_each_task_has_its_own_scope(
    kept: Kept, server: ScriptedModel, ascripted: openai.AsyncOpenAI
) -> None:
    """Twenty calls at once are twenty events, each of the scope it was made in."""
    server.answer(completion(), times=20)

    async def one(number: int) -> str:
        with libretto.scope(chat_id=f"chat-{number}"):
            answer = await ask_async(ascripted, user=f"user-{number}")
        return str(libretto.feedback_key(answer))

    keys = await asyncio.gather(*(one(number) for number in range(20)))
    told = {event["chatId"]: event for event in kept.events}
    for number, key in enumerate(keys):
        event = told[f"chat-{number}"]
        assert event["feedbackKey"] == key
        assert event["modelParameters"]["user"] == f"user-{number}"


async def test_an_awaited_call_keeps_the_scope_it_was_made_in(
    kept: Kept, server: ScriptedModel, ascripted: openai.AsyncOpenAI
) -> None:
    """The scope is that of the call, not of the await."""
    server.answer(completion())
    with libretto.scope(chat_id="made-here"):
        coroutine = ascripted.chat.completions.create(model="m", messages=MESSAGES)
    await coroutine
    assert kept.event["chatId"] == "made-here"


async def test_a_call_cancelled_before_its_answer(
    kept: Kept, server: ScriptedModel, ascripted: openai.AsyncOpenAI
) -> None:
    """Cancelling a call that waits for its answer records and re-raises it."""
    server.silence()
    waiting = asyncio.create_task(ask_async(ascripted))
    await until(lambda: server.requests)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert kept.event["responseErrors"] == ["CancelledError"]


def test_scope_follows_a_copied_context_into_a_thread(
    kept: Kept, server: ScriptedModel, scripted: openai.OpenAI
) -> None:
    """A call on a thread that runs in a copied context has its scope."""
    server.answer(completion())
    with libretto.scope(chat_id="from-outside"):
        context = contextvars.copy_context()
    thread = threading.Thread(target=context.run, args=(ask, scripted))
    thread.start()
    thread.join()
    assert kept.event["chatId"] == "from-outside"


@pytest.mark.skipif(
    sys.version_info < (3, 11), reason="tasks of Python 3.10 share no context"
)
async def test_tasks_that_share_a_context(
    kept: Kept, server: ScriptedModel, ascripted: openai.AsyncOpenAI
) -> None:
    """Calls of tasks that run in one context are each an event, and so are later ones.

    What one task left in the context is not taken for a request of another.
    """
    server.answer(completion(), times=20)
    shared = contextvars.copy_context()
    others = [ascripted, ascripted.copy()]
    for _ in range(2):
        await asyncio.gather(
            *(
                asyncio.create_task(ask_async(others[at % 2]), context=shared)
                for at in range(8)
            )
        )
        await asyncio.create_task(ask_async(ascripted), context=shared)
        await ask_async(ascripted)
    assert len(kept.calls) == 20


async def test_a_task_started_in_a_request(
    kept: Kept, server: ScriptedModel, ascripted: openai.AsyncOpenAI
) -> None:
    """A task born in a hook of the HTTP client is on its own: at once, and later."""
    server.answer(completion(), times=4)
    queue: asyncio.Queue[bool] = asyncio.Queue()
    workers: list[asyncio.Task[None]] = []

    async def work() -> None:
        await ask_async(ascripted)
        while await queue.get():
            await ask_async(ascripted)

    async def hook(request: Any) -> None:
        if not workers:
            workers.append(asyncio.create_task(work()))
            await asyncio.sleep(0)

    ascripted._client.event_hooks = {"request": [hook]}
    await ask_async(ascripted)
    for more in (True, True, False):
        queue.put_nowait(more)
    await workers[0]
    assert len(kept.calls) == 4


async def test_a_thread_started_in_a_request(
    kept: Kept, server: ScriptedModel, scripted: openai.OpenAI
) -> None:
    """A thread that a hook of the HTTP client starts in its context is on its own."""
    server.answer(completion(), times=3)
    threads: list[threading.Thread] = []

    def hook(request: Any) -> None:
        if not threads:
            context = contextvars.copy_context()
            thread = threading.Thread(target=context.run, args=(ask, scripted))
            threads.append(thread)
            thread.start()
            thread.join()

    scripted._client.event_hooks = {"request": [hook]}
    ask(scripted)
    context = contextvars.copy_context()
    context.run(ask, scripted)
    assert len(kept.calls) == 3


async def test_a_call_in_a_hook_is_part_of_the_request(
    kept: Kept, server: ScriptedModel, ascripted: openai.AsyncOpenAI
) -> None:
    """A call that a hook of the HTTP client awaits is not an event of its own."""
    server.answer(completion(), times=2)
    asked: list[Any] = []

    async def hook(request: Any) -> None:
        if not asked:
            asked.append(request)
            await ask_async(ascripted)

    ascripted._client.event_hooks = {"request": [hook]}
    await ask_async(ascripted)
    assert len(kept.calls) == 1
