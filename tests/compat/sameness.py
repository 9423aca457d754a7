"""Holds that a program does the same recorded as bare, with one event a model call."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

from libretto_instrument.demo._server import create_app, serve_app
from libretto_instrument.testing import CapturedEvents, capture_events


class Gateway:
    """The offline model, counting the calls that it answers.

    Attributes:
        url: What ``base_url`` takes.
    """

    def __init__(self) -> None:
        self._app = create_app()
        self._answered = 0
        self.url = ""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http" and scope["method"] == "POST":
            self._answered += 1
        await self._app(scope, receive, send)

    def answered(self) -> int:
        """Return how many calls were answered since this was last asked."""
        answered, self._answered = self._answered, 0
        return answered


_loop = asyncio.new_event_loop()


def finish(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine to its end.

    In one loop all along: frameworks keep clients, whose connections belong to a loop.
    """
    return _loop.run_until_complete(coroutine)


@contextmanager
def gateway() -> Iterator[Gateway]:
    """Serve the offline model for the length of a block."""
    running = Gateway()
    with serve_app(running, "127.0.0.1", 0) as address:
        running.url = f"{address}/v1"
        yield running


def same(ask: Callable[[], Any], running: Gateway) -> CapturedEvents:
    """Hold that a program that succeeds does the same recorded, and return its events.

    Args:
        ask: The program; it returns what its user sees.
        running: The model that it calls.
    """
    events = same_outcome(ask, running, ())
    for event in events:
        assert event["promptTemplateChat"]
        assert event.get("response") or event["toolCalls"]
        assert event["responseMetrics"]
        assert "responseErrors" not in event
    return events


def same_outcome(
    ask: Callable[[], Any],
    running: Gateway,
    errors: type[Exception] | tuple[()] = Exception,
) -> CapturedEvents:
    """Hold the same of a program that may fail; what it raises is its outcome.

    Args:
        ask: As above.
        running: As above.
        errors: What it may raise.
    """

    def outcome() -> Any:
        try:
            return repr(ask())
        except errors as exc:
            return type(exc), str(exc)

    running.answered()
    bare = outcome()
    calls = running.answered()
    assert calls > 0, bare
    with capture_events() as events:
        assert outcome() == bare
        assert running.answered() == calls == len(events)
    assert outcome() == bare
    return events
