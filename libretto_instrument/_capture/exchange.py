"""The HTTP exchange of one call, as openai's client carries it out.

A context variable holds it while the call is under way, so that the client's own
methods, which the wrappers of `client_requests` watch, know whose request they send.
"""

import sys
from contextvars import ContextVar
from functools import lru_cache
from types import FrameType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .endpoints.table import Endpoint
    from .record import CallRecord


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
        if detours:
            detours.pop(id(self), None)

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

#: Calls under way whose requests may be sent by another thread, where the context
#: variable is not set, by their exchanges' identities.
detours: "dict[int, CallRecord]" = {}


@lru_cache(maxsize=256)
def may_detour(kind: type) -> bool:
    """Return whether clients of a class send requests by methods that openai lacks."""
    return any(
        name in base.__dict__ and base.__module__.partition(".")[0] != "openai"
        for base in kind.__mro__
        for name in ("request", "post")
    )


def is_detour(client: Any, endpoint: "Endpoint", body: dict[str, Any]) -> bool:
    """Return whether a call that was started elsewhere sends this very request."""
    for record in list(detours.values()):
        if record.endpoint is endpoint and record.exchange.client is client:
            sent = record.request
            names = [name for name in ("model", endpoint.input) if name in sent]
            if all(sent[name] == body.get(name) for name in names):
                return True
    return False
