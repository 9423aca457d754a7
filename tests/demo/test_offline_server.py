"""How the offline model's server ends."""

import asyncio
import contextlib
import threading
from typing import Any

import httpx
import pytest

from libretto_instrument.demo import _server


def test_an_application_that_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """The end of the server waits for no application that ignores its end."""
    monkeypatch.setattr(_server, "STOP_TIMEOUT", 0.1)
    released = threading.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"", "more_body": True})
        while not released.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(0.01)

    others = threading.enumerate()  # Those of other tests' servers, perhaps.
    with (
        httpx.Client(trust_env=False) as client,
        _server.serve_app(app, "127.0.0.1", 0) as address,
        client.stream("GET", address),
    ):
        (thread,) = (
            thread
            for thread in threading.enumerate()
            if thread.name == "offline-model" and thread not in others
        )
    assert thread.is_alive()
    released.set()
    thread.join()
