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
    """Run a program bare and recorded, and return its events.

    Args:
        ask: The program; it returns what its user sees, in values that compare.
        running: The model that it calls.
    """
    running.answered()
    bare = ask()
    calls = running.answered()
    assert calls > 0, "the program did not call the model"
    with capture_events() as events:
        recorded = ask()
        assert recorded == bare
        assert running.answered() == calls
        assert len(events) == calls
    assert ask() == bare
    for event in events:
        assert event["promptTemplateChat"]
        assert event.get("response") or event["toolCalls"]
        assert event["responseMetrics"]
        assert "responseErrors" not in event
    return events
