"""A fault of ours at any step of a call is the caller's no concern."""

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import openai
import pytest
from openai.resources.chat.completions import AsyncCompletions, Completions
from support.faults import raising, steps
from support.scripted import DEADLINE, ScriptedModel

import libretto_instrument as libretto
from libretto_instrument._runtime.state import runtime
from libretto_instrument._util import errors

from .courses import ASYNC_COURSES, COURSES, SECRET, AsyncCourse, Course, plain

#: The user's call itself runs in these; all that they do of their own is in a zone.
ON_THE_USERS_PATH = {
    "wrappers._pop_libretto_kwarg",  # refuses a wrong libretto=
    "wrappers.sync_wrapper",
    "wrappers.async_wrapper",
    "wrappers.stream_helper_wrapper",
    "wrappers.__init__",  # holds openai's coroutine
    "wrappers.await_call",
    "client_requests.request",
    "client_requests.process_response",
    "client_requests.bind",  # binds another patcher's method to its client
    # They pass on what is asked of them.
    "proxies.__class__",
    "proxies.__delattr__",
    "proxies.__dir__",
    "proxies.__eq__",
    "proxies.__getattr__",
    "proxies.__hash__",
    "proxies.__reduce_ex__",
    "proxies.__repr__",
    "proxies.__setattr__",
    "proxies.method",
    "stream_state.track_iteration",
    "stream_state.track_async_iteration",
    "streams.response",
    "stream_state.__enter__",
    "stream_state.__exit__",
    "streams.__iter__",
    "streams.__next__",
    "streams.__enter__",
    "streams.__aiter__",
    "streams.__anext__",
    "streams.__aenter__",
    "response_hooks.close",
    "response_hooks.aclose",
    "response_hooks.tee",
    "response_hooks.tee_async",
    "response_hooks.read_and_tee",
    # Once a hook has run: threads that the program starts pass through these.
    "propagate.start_in_scope",
    "propagate.submit_in_scope",
    "raw_views.__get__",  # looks up the method of a raw view
    "raw_views.__delete__",
    "raw_views.__set__",
    # A wrong libretto= is refused here, in the caller's face.
    "config.parse_call_params",
    "config.set_fields",
    "config._set_fields",
    "config.<dictcomp>",
}

#: These contain the faults of all that they call. None is longer than a screen.
ZONES = {
    "call.start_call",
    "client_requests._start",
    "exchange.__init__",
    "exchange.__enter__",
    "exchange.__exit__",
    "exchange.enter",
    "exchange.is_around_here",
    "exchange.leave",
    "call.__enter__",
    "call.__exit__",
    "call.on_response",
    "call.on_text_response",
    "call.on_error",
    "call.submit",
    "wrappers.finish",
    "errors.log_internal_error",
    "errors.log",
    "errors.should_suppress",
    "stream_state._freeze",
    "stream_state._is_cancellation",
    "stream_state._on_exception",
    "stream_state.add",
    "stream_state.finish",
    "stream_state.on_error",
    "stream_state.on_loop_exit",
    "stream_state.on_read_start",
    "stream_state.records_items",
    "response_hooks.notify",
    "suppression._find_suppression",
}

#: The interpreter calls these, and lets nothing out of them.
FINALIZERS = {"feedback_keys.forget", "stream_state.__del__", "wrappers.__del__"}


class Log(list[Any]):
    """What openai returned or raised, inside our wrappers."""


@pytest.fixture
def returned(monkeypatch: pytest.MonkeyPatch) -> Log:
    """Note what openai's own methods return, inside our wrappers."""
    log = Log()
    create, acreate = Completions.create, AsyncCompletions.create

    def noting(self: Any, **kwargs: Any) -> Any:
        log.append(create(self, **kwargs))
        return log[-1]

    async def anoting(self: Any, **kwargs: Any) -> Any:
        log.append(await acreate(self, **kwargs))
        return log[-1]

    monkeypatch.setattr(Completions, "create", noting)
    monkeypatch.setattr(AsyncCompletions, "create", anoting)
    return log


@pytest.fixture
def submitted(
    returned: Log, lenient: None, monkeypatch: pytest.MonkeyPatch
) -> Iterator[list[Any]]:
    """Install the real thing, up to where records leave the caller's thread."""
    calls: list[Any] = []
    monkeypatch.setattr(runtime, "sink", calls.append)
    install()
    yield calls
    libretto.uninstall()


def install() -> None:
    """Install again, so that no settings are cached."""
    libretto.install(api_key="sk-libretto", prompt_template_name="n")


@pytest.mark.parametrize("course", COURSES)
def test_a_fault_at_any_step(
    course: Course,
    server: ScriptedModel,
    scripted: openai.OpenAI,
    returned: Log,
    submitted: list[Any],
    warnings_of: pytest.LogCaptureFixture,
) -> None:
    """A raise in any function of ours leaves a call as openai made it."""

    def run() -> Any:
        returned.clear()
        answer, said = course(server, scripted)
        _assert_very_object(answer, returned)
        return said

    _strike_everywhere(run, warnings_of)
    assert submitted


@pytest.mark.parametrize("course", ASYNC_COURSES)
def test_a_fault_at_any_step_async(
    course: AsyncCourse,
    server: ScriptedModel,
    returned: Log,
    submitted: list[Any],
    warnings_of: pytest.LogCaptureFixture,
) -> None:
    """A raise in any function of ours leaves an async call as openai made it."""

    async def main() -> Any:
        async with openai.AsyncOpenAI(
            api_key="sk-test", base_url=server.url, max_retries=0, timeout=DEADLINE
        ) as client:
            return await course(server, client)

    def run() -> Any:
        returned.clear()
        answer, said = asyncio.run(main())
        _assert_very_object(answer, returned)
        return said

    _strike_everywhere(run, warnings_of)
    assert submitted


def _assert_very_object(answer: Any, returned: Log) -> None:
    """Hold that the caller got what openai returned, or a proxy of that stream."""
    if answer is not None and returned:
        assert getattr(answer, "__wrapped__", answer) is returned[-1]


def test_a_fault_at_any_step_in_a_scope(
    server: ScriptedModel,
    scripted: openai.OpenAI,
    returned: Log,
    submitted: list[Any],
    warnings_of: pytest.LogCaptureFixture,
) -> None:
    """A raise in any function of ours, in a scope, is no concern of the caller."""

    def run() -> Any:
        return plain(server, scripted)[1]

    with libretto.scope(context={"user": 1}, annotate_responses=False):
        _strike_everywhere(run, warnings_of)
    assert submitted


def _strike_everywhere(run: Callable[[], Any], log: pytest.LogCaptureFixture) -> None:
    bare = run()
    install()
    found = {
        code: name
        for code, name in steps(run).items()
        if name not in ON_THE_USERS_PATH | ZONES | FINALIZERS
    }
    # Python 3.12 runs comprehensions without a frame of their own.
    assert len(found) > 6, sorted(found.values())
    harm = {}
    for code, name in found.items():
        try:
            errors.reset()
            log.clear()
            for _ in range(2):
                install()
                with raising(code) as raised:
                    assert run() == bare
                assert raised, "the step was not reached again"
            lines = [record.getMessage() for record in log.records]
            assert len(lines) == 1, lines
            assert "Fault in " in lines[0]
            assert SECRET not in log.text
        except Exception as exc:
            harm[name] = f"{type(exc).__name__}: {exc}"
    assert harm == {}
