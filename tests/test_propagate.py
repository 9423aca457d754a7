"""Scopes on other threads, by `propagate`, and the warning where one is lost."""

import asyncio
import threading
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from typing import Any

import openai
import pytest
from support.answers import MESSAGES, completion
from support.scripted import ScriptedModel

import libretto_instrument as libretto
from libretto_instrument._config.scope import current
from libretto_instrument.testing import capture_events


def seen(_: Any = None) -> Any:
    """Return the chat's id in the scope of this thread, or None."""
    frame = current()
    return frame.fields["chat_id"] if frame else None


@pytest.fixture
def classes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Propagate scopes into all pools and threads, for one test."""
    monkeypatch.setattr(ThreadPoolExecutor, "submit", ThreadPoolExecutor.submit)
    monkeypatch.setattr(threading.Thread, "start", threading.Thread.start)
    for _ in range(2):  # Once more is harmless.
        libretto.propagate(ThreadPoolExecutor)
        libretto.propagate(threading.Thread)


def run_thread(thread: threading.Thread) -> None:
    thread.start()
    thread.join()


def test_an_executor() -> None:
    """What is submitted or mapped runs in the scope it comes from, and only that."""
    with ThreadPoolExecutor(1) as pool:
        assert libretto.propagate(libretto.propagate(pool)) is pool
        for chat in ("a", "b"):
            with libretto.scope(chat_id=chat):
                assert pool.submit(seen).result() == chat
                assert list(pool.map(seen, range(3))) == [chat] * 3
        assert pool.submit(seen).result() is None
        with libretto.scope(chat_id="c"), pytest.raises(TypeError):
            pool.submit()  # type: ignore[call-arg]


def test_a_thread() -> None:
    """A thread that was not started runs in the scope where it was propagated."""
    told: list[Any] = []
    with libretto.scope(chat_id="a"):
        thread = libretto.propagate(
            threading.Thread(target=lambda: told.append(seen()))
        )
    run_thread(thread)
    assert told == ["a"]


def test_a_function() -> None:
    """A function runs in the scope where it was propagated, wherever it is called."""
    with libretto.scope(chat_id="a"):
        bound = libretto.propagate(seen)
    assert bound.__name__ == "seen"
    with libretto.scope(chat_id="b"), ThreadPoolExecutor(1) as pool:
        assert bound() == pool.submit(bound).result() == "a"
        assert seen() == "b"


def test_the_classes(classes: None) -> None:
    """Pools and threads that a framework makes itself run in the caller's scope."""
    told: list[Any] = []
    with ThreadPoolExecutor(1) as pool:
        for chat in ("a", "b"):
            with libretto.scope(chat_id=chat):
                assert list(pool.map(seen, range(2))) == [chat] * 2
                run_thread(threading.Thread(target=lambda: told.append(seen())))
        assert pool.submit(seen).result() is None
    run_thread(threading.Thread(target=lambda: told.append(seen())))
    assert told == ["a", "b", None]

    async def main() -> Any:
        with libretto.scope(chat_id="c"):
            return await asyncio.get_running_loop().run_in_executor(None, seen)

    assert asyncio.run(main()) == "c"


@pytest.mark.parametrize("target", [None, 7, dict, ProcessPoolExecutor])
def test_what_cannot_carry_a_scope(target: Any) -> None:
    """What is not a thread, pool of threads or function is refused."""
    with pytest.raises(TypeError, match="ThreadPoolExecutor, a Thread"):
        libretto.propagate(target)


def test_a_call_in_a_propagated_pool(
    server: ScriptedModel, scripted: openai.OpenAI
) -> None:
    """A call on a pool's thread is recorded under the name of the scope."""
    server.answer(completion(), times=1)
    with capture_events() as events, ThreadPoolExecutor(1) as pool:
        ask: Any = scripted.chat.completions.create
        libretto.propagate(pool)
        with libretto.scope(prompt_template_name="greeting"):
            pool.submit(ask, model="m", messages=MESSAGES).result()
    assert events[0]["promptTemplateName"] == "greeting"


def test_the_warning_of_a_lost_scope(
    server: ScriptedModel,
    scripted: openai.OpenAI,
    warnings_of: pytest.LogCaptureFixture,
) -> None:
    """A call on a thread that its scope does not reach says so, and what helps."""
    server.answer(completion(), times=3)
    libretto.install(api_key="key")
    ask: Any = scripted.chat.completions.create
    try:
        with (
            libretto.scope(prompt_template_name="greeting"),
            ThreadPoolExecutor(1) as pool,
        ):
            pool.submit(ask, model="m", messages=MESSAGES).result()
            pool.submit(ask, model="m", messages=MESSAGES).result()
        (line,) = [record.getMessage() for record in warnings_of.records]
        assert "libretto_instrument.propagate()" in line
        ask(model="m", messages=MESSAGES)
        assert "Give prompt_template_name" in warnings_of.records[-1].getMessage()
    finally:
        libretto.uninstall()
