"""What a program's signal handlers raise is the program's, wherever it comes."""

import functools
import gc
import logging
import signal
import sys
from collections.abc import Callable, Iterator
from contextvars import copy_context
from types import CodeType, FrameType
from typing import Any

import openai
import pytest
from support.answers import MESSAGES, chunks, completion
from support.faults import steps
from support.scripted import ScriptedModel

import libretto_instrument as libretto
from libretto_instrument._runtime import runtime

from .test_capture_faults import FINALIZERS

pytestmark = [
    pytest.mark.usefixtures("lenient"),
    pytest.mark.skipif(not hasattr(signal, "SIGALRM"), reason="has no alarms"),
]


class TimeLimit(Exception):  # noqa: N818 - as programs call it
    """The program's own time limit."""


class _Limit:
    """Handlers as methods and as objects."""

    def exceeded(self, signum: int, frame: FrameType | None) -> None:
        raise TimeLimit

    def __call__(self, signum: int, frame: FrameType | None) -> None:
        raise TimeoutError


def by_function(signum: int, frame: FrameType | None) -> None:
    raise TimeLimit


def by_any_arguments(*_: object) -> None:
    raise TimeLimit


def by_helper(signum: int, frame: FrameType | None) -> None:
    by_any_arguments()


def by_named(limit: float, signum: int, frame: FrameType | None) -> None:
    raise TimeoutError(limit)


HANDLERS: dict[str, Callable[..., Any]] = {
    "function": by_function,
    "any arguments": by_any_arguments,
    "helper": by_helper,
    "partial": functools.partial(by_named, 1.0),
    "method": _Limit().exceeded,
    "object": _Limit(),
}


@pytest.fixture(params=HANDLERS)
def alarm(request: pytest.FixtureRequest) -> Iterator[None]:
    """Set a handler that raises, in each of the ways to write one."""
    before = signal.signal(signal.SIGALRM, HANDLERS[request.param])
    yield
    signal.signal(signal.SIGALRM, before)


def interrupted(step: CodeType, run: Callable[[], Any]) -> bool:
    """Run with a signal at one step; say whether it came through to here."""

    def strike(frame: FrameType, event: str, argument: object) -> None:
        if event == "call" and frame.f_code is step:
            sys.setprofile(None)
            signal.raise_signal(signal.SIGALRM)

    sys.setprofile(strike)
    try:
        run()
    except (TimeLimit, TimeoutError):
        return True
    finally:
        sys.setprofile(None)
    return False


@pytest.mark.usefixtures("collect", "alarm")
@pytest.mark.parametrize("alarm", ["any arguments"], indirect=True)
@pytest.mark.parametrize("stream", [False, True])
def test_a_signal_at_any_step(
    server: ScriptedModel,
    scripted: openai.OpenAI,
    monkeypatch: pytest.MonkeyPatch,
    stream: bool,
) -> None:
    """An exception of a handler comes out of the call, whatever we do just then."""
    monkeypatch.setattr(runtime, "sink", lambda item: None)

    def install() -> None:
        # Anew, so that nothing is remembered of settings worked out before.
        libretto.install(api_key="k", allow_unnamed_prompts=True)

    def run() -> None:
        if stream:
            server.stream(*chunks("a"))
        else:
            server.answer(completion())
        answer = scripted.chat.completions.create(
            model="m", messages=MESSAGES, stream=stream
        )
        if stream:
            list(answer)

    install()
    run()
    install()
    found = {code: name for code, name in steps(run).items() if name not in FINALIZERS}
    assert len(found) > 10
    swallowed = []
    for code, name in found.items():
        install()
        gc.collect()  # No finalizer of the last run's stream may meet the signal.
        if not interrupted(code, lambda: copy_context().run(run)):
            swallowed.append(name)
    assert swallowed == []


@pytest.mark.usefixtures("alarm")
def test_a_signal_of_any_handler(
    server: ScriptedModel, scripted: openai.OpenAI, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However a handler is written, what it raises comes out of the call."""
    monkeypatch.setattr(
        runtime, "sink", lambda item: signal.raise_signal(signal.SIGALRM)
    )
    libretto.install(api_key="k", allow_unnamed_prompts=True)
    server.answer(completion())
    with pytest.raises((TimeLimit, TimeoutError)):
        scripted.chat.completions.create(model="m", messages=MESSAGES)


@pytest.mark.usefixtures("alarm")
def test_a_signal_as_a_fault_is_logged(
    monkeypatch: pytest.MonkeyPatch, scripted: openai.OpenAI, server: ScriptedModel
) -> None:
    """A handler's exception passes a log handler of the program's, too."""

    class Interrupted(logging.Handler):
        def handle(self, record: logging.LogRecord) -> bool:
            signal.raise_signal(signal.SIGALRM)
            return True

    monkeypatch.setattr(logging.getLogger(), "handlers", [Interrupted()])
    libretto.install()
    server.answer(completion())
    with pytest.raises((TimeLimit, TimeoutError)):
        scripted.chat.completions.create(model="m", messages=MESSAGES)


def _own_frame() -> None:
    """Raise with a frame and a number at hand, as no signal handler."""
    _look(3, sys._getframe().f_back)


def _look(depth: int, frame: FrameType | None) -> None:
    raise ValueError


def test_a_fault_beside_frames_is_swallowed(
    server: ScriptedModel, scripted: openai.OpenAI
) -> None:
    """A fault in a function that has a number and a frame is not a signal's."""

    class Odd(dict[str, Any]):
        def items(self) -> Any:
            _own_frame()

    libretto.install(api_key="k", allow_unnamed_prompts=True)
    server.answer(completion())
    with libretto.scope(context={"odd": Odd(a=1)}):
        answer = scripted.chat.completions.create(model="m", messages=MESSAGES)
    assert answer.choices[0].message.content == "tennis"
