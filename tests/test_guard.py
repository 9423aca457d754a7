"""The one place that swallows: what is said, how often, and what never is."""

import logging
from collections.abc import Callable
from types import SimpleNamespace

import pytest

from libretto_instrument import _guard

SECRET = "sk-secret and the text of a prompt"


def fault() -> ValueError:
    """Return an error whose message must not be logged."""
    return ValueError(SECRET)


def set_clock(monkeypatch: pytest.MonkeyPatch, clock: Callable[[], float]) -> None:
    """Give the guard a clock of its own.

    Everybody's must not stand still: the event loops of servers that other tests left
    running would sleep for hours.
    """
    monkeypatch.setattr(_guard, "time", SimpleNamespace(monotonic=clock))


def test_strict_raises() -> None:
    """The test suite sees what production swallows."""
    with pytest.raises(ValueError, match=SECRET):
        _guard.swallow(fault(), "here")


def raise_deep_inside() -> None:
    raise fault()


@pytest.mark.usefixtures("lenient")
def test_a_fault_is_told_without_its_message(caplog: pytest.LogCaptureFixture) -> None:
    """A swallowed fault is one warning with its type and step, and no content."""
    _guard.swallow(fault(), "capture.begin")
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
        _guard.swallow(exc, "here")
    assert "at raise_deep_inside:" in caplog.messages[0]
    assert SECRET not in caplog.text


@pytest.mark.usefixtures("lenient")
def test_a_place_is_heard_once_a_minute(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A place that fails again and again is logged once a minute (failure-modes 28)."""
    now = 1000.0
    set_clock(monkeypatch, lambda: now)
    for _ in range(50):
        _guard.swallow(fault(), "here")
    _guard.swallow(fault(), "there")
    assert len(caplog.records) == 2
    now += 59.0
    _guard.swallow(fault(), "here")
    assert len(caplog.records) == 2
    now += 1.0
    _guard.swallow(fault(), "here")
    assert len(caplog.records) == 3


def test_warnings_are_limited_by_key(caplog: pytest.LogCaptureFixture) -> None:
    """A warning is logged once a minute for each key, with its arguments filled in."""
    for number in range(3):
        _guard.warn("full", "the queue is %s", number)
    _guard.warn("other", "another")
    assert caplog.messages == ["the queue is 0", "another"]


def test_some_warnings_are_given_once(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A warning about the set-up is given once, however long the process runs."""
    now = 1000.0
    set_clock(monkeypatch, lambda: now)
    _guard.warn_once("no key", "set the %s", "key")
    now += 1e6
    _guard.warn_once("no key", "set the %s", "key")
    assert caplog.messages == ["set the key"]


def test_reset_says_it_again(caplog: pytest.LogCaptureFixture) -> None:
    """After a reset everything may be said once more."""
    for _ in range(2):
        _guard.warn("a", "limited")
        _guard.warn_once("a", "once")
        _guard.reset()
    assert caplog.messages == ["limited", "once"] * 2
