"""The one place that swallows: what is said, how often, and what never is."""

import io
import logging
import sys
from collections.abc import Callable
from types import SimpleNamespace

import openai
import pytest
from support.answers import MESSAGES, completion
from support.scripted import ScriptedModel

import libretto_instrument as libretto
from libretto_instrument._runtime.state import runtime
from libretto_instrument._util import errors

SECRET = "sk-secret and the text of a prompt"


def fault() -> ValueError:
    """Return an error whose message must not be logged."""
    return ValueError(SECRET)


def set_clock(monkeypatch: pytest.MonkeyPatch, clock: Callable[[], float]) -> None:
    """Give the guard a clock of its own.

    Everybody's must not stand still: the event loops of servers that other tests left
    running would sleep for hours.
    """
    monkeypatch.setattr(errors, "time", SimpleNamespace(monotonic=clock))


def test_strict_raises() -> None:
    """The test suite sees what production swallows."""
    with pytest.raises(ValueError, match=SECRET):
        errors.log_internal_error(fault(), "here")


def raise_deep_inside() -> None:
    raise fault()


@pytest.mark.usefixtures("lenient")
def test_a_fault_is_told_without_its_message(caplog: pytest.LogCaptureFixture) -> None:
    """A swallowed fault is one warning with its type and step, and no content."""
    errors.log_internal_error(fault(), "capture.begin")
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert record.name == "libretto_instrument"
    assert "ValueError in capture.begin" in record.getMessage()
    assert SECRET not in caplog.text


@pytest.mark.usefixtures("lenient")
@pytest.mark.parametrize("level", [logging.WARNING, logging.DEBUG])
def test_where_it_was_raised(caplog: pytest.LogCaptureFixture, level: int) -> None:
    """The function that raised is named, and at no level is the message shown."""
    caplog.set_level(level, logger="libretto_instrument")
    try:
        raise_deep_inside()
    except ValueError as exc:
        errors.log_internal_error(exc, "here")
    assert "at raise_deep_inside:" in caplog.messages[0]
    assert SECRET not in caplog.text


@pytest.mark.usefixtures("lenient")
def test_a_place_is_heard_once_a_minute(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A place that fails again and again is logged once a minute."""
    now = 1000.0
    set_clock(monkeypatch, lambda: now)
    for _ in range(50):
        errors.log_internal_error(fault(), "here")
    errors.log_internal_error(fault(), "there")
    assert len(caplog.records) == 2
    now += 59.0
    errors.log_internal_error(fault(), "here")
    assert len(caplog.records) == 2
    now += 1.0
    errors.log_internal_error(fault(), "here")
    assert len(caplog.records) == 3


def test_warnings_are_limited_by_key(caplog: pytest.LogCaptureFixture) -> None:
    """A warning is logged once a minute for each key, with its arguments filled in."""
    for number in range(3):
        errors.warn("full", "the queue is %s", number)
    errors.warn("other", "another")
    assert caplog.messages == ["the queue is 0", "another"]


def test_some_warnings_are_given_once(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A warning about the set-up is given once, however long the process runs."""
    now = 1000.0
    set_clock(monkeypatch, lambda: now)
    errors.warn_once("no key", "set the %s", "key")
    now += 1e6
    errors.warn_once("no key", "set the %s", "key")
    assert caplog.messages == ["set the key"]


def test_reset_says_it_again(caplog: pytest.LogCaptureFixture) -> None:
    """After a reset everything may be said once more."""
    for _ in range(2):
        errors.warn("a", "limited")
        errors.warn_once("a", "once")
        errors.reset()
    assert caplog.messages == ["limited", "once"] * 2


class NeedsRequest(logging.Filter):
    """A filter that works in the program's requests only."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Refuse to work outside of a request."""
        raise RuntimeError("outside of a request")


class StrictHandler(logging.Handler):
    """A handler that raises before `logging` could contain it."""

    def handle(self, record: logging.LogRecord) -> bool:
        """Raise."""
        raise LookupError("no such index")


class StrictLogger(logging.Logger):
    """A logger of the program's own class, which is picky about messages."""

    def makeRecord(self, *args: object, **kwargs: object) -> logging.LogRecord:  # noqa: N802
        """Raise."""
        raise AttributeError("structured messages only")


def with_filter_on_handler(patched: pytest.MonkeyPatch) -> None:
    handler = logging.StreamHandler()
    handler.addFilter(NeedsRequest())
    patched.setattr(logging.getLogger(), "handlers", [handler])


def with_filter_on_logger(patched: pytest.MonkeyPatch) -> None:
    patched.setattr(errors.logger, "filters", [NeedsRequest()])


def with_handler(patched: pytest.MonkeyPatch) -> None:
    patched.setattr(logging.getLogger(), "handlers", [StrictHandler()])


def with_logger(patched: pytest.MonkeyPatch) -> None:
    patched.setattr(errors, "logger", StrictLogger("strict"))


def with_closed_stderr(patched: pytest.MonkeyPatch) -> None:
    closed = io.StringIO()
    closed.close()
    patched.setattr(sys, "stderr", closed)
    patched.setattr(logging.getLogger(), "handlers", [logging.StreamHandler(closed)])


def with_no_stderr(patched: pytest.MonkeyPatch) -> None:
    patched.setattr(sys, "stderr", None)
    patched.setattr(logging.getLogger(), "handlers", [])


LOGGING = (
    with_filter_on_handler,
    with_filter_on_logger,
    with_handler,
    with_logger,
    with_closed_stderr,
    with_no_stderr,
)


@pytest.mark.usefixtures("lenient")
@pytest.mark.parametrize("set_up", LOGGING)
def test_logging_that_fails_breaks_no_call(
    set_up: Callable[[pytest.MonkeyPatch], None],
    server: ScriptedModel,
    scripted: openai.OpenAI,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What a program's filter, handler or logger raises at our words stays inside."""
    server.answer(completion(), times=2)

    def ask() -> str:
        answer = scripted.chat.completions.create(model="m", messages=MESSAGES)
        return str(answer.choices[0].message.content)

    def fail(item: object) -> None:
        raise OSError("the disk is full")

    with monkeypatch.context() as patched:
        set_up(patched)
        libretto.install()
        assert ask() == "tennis"  # There is no key: a warning before the call.
        libretto.install(api_key="k", allow_unnamed_prompts=True)
        patched.setattr(runtime, "sink", fail)
        assert ask() == "tennis"  # A fault of ours: a warning after the call.
        errors.warn("key", "a warning")


@pytest.mark.parametrize("interrupt", [KeyboardInterrupt, SystemExit])
def test_an_interrupt_in_a_handler_passes(
    interrupt: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is meant to end the program ends it, wherever it comes."""

    class Interrupted(logging.Handler):
        def handle(self, record: logging.LogRecord) -> bool:
            raise interrupt

    monkeypatch.setattr(logging.getLogger(), "handlers", [Interrupted()])
    with pytest.raises(interrupt):
        errors.warn("key", "a warning")
