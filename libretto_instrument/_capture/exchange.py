"""The HTTP exchange of one call, as openai's client carries it out.

A context variable holds it while the call is under way, so that the client's own
methods, which the wrappers of `client_requests` watch, know whose request they send.
"""

import sys
from contextvars import ContextVar
from types import FrameType
from typing import Any


class Exchange:
    """What becomes known of a call's request. A context manager around the request.

    It is small, and once the call has returned holds nothing of the caller's: tasks
    that are started during the call inherit it, and may live on for long.

    Attributes:
        client: The client that sends the request; None once the call has returned.
        base_url: The client's base URL, an object of the HTTP library's.
        headers: The response's headers.
        retries: How many requests failed before the one that was answered.
    """

    __slots__ = ("_frame", "_outer", "base_url", "client", "headers", "retries")

    def __init__(self, client: Any) -> None:
        self.client = client
        self.base_url: Any = None
        self.headers: Any = None
        self.retries: int | None = None
        self._frame: FrameType | None = None
        self._outer: Exchange | None = None

    def __enter__(self) -> None:
        self.enter(sys._getframe(1))

    def __exit__(self, *_: object) -> None:
        self.leave()

    def enter(self, frame: FrameType) -> None:
        """Make it the exchange under way in this context. Never raises.

        Args:
            frame: The frame that makes the call.
        """
        self._frame = frame
        self._outer = current_exchange.get()
        current_exchange.set(self)

    def leave(self) -> None:
        """Take note that the call has returned. Never raises."""
        outer = self._outer
        self.client = self._frame = self._outer = None
        is_over = outer is not None and outer.client is None
        current_exchange.set(None if is_over else outer)

    def is_around_here(self) -> bool:
        """Return whether the call is made by a frame on the stack of the caller.

        The context alone does not say so: it may be copied by what outlives the call,
        and shared by tasks whose calls overlap.
        """
        frame: FrameType | None = sys._getframe(1)
        while frame is not None and frame is not self._frame:
            frame = frame.f_back
        return frame is not None


#: The exchange under way in this context. Another call of the same client, made inside
#: it, is part of it.
current_exchange: ContextVar[Exchange | None] = ContextVar(
    "libretto_exchange", default=None
)
