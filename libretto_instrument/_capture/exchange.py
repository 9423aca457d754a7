"""The HTTP exchange of one call, as openai's client carries it out.

A context variable holds it while the call is under way, so that the client's own
methods, which the wrappers of `client_requests` watch, know whose request they send.
"""

from contextvars import ContextVar
from typing import Any


class Exchange:
    """What becomes known of a call's request while openai sends it.

    It is small, and holds nothing of the caller's: tasks that are started during the
    call inherit it, and may live on for long.

    Attributes:
        client: The client that sends the request; None once the call has returned.
        outer: The exchange around this one, if there is one.
        headers: The response's headers.
        retries: How many requests failed before the one that was answered.
    """

    __slots__ = ("client", "headers", "outer", "retries")

    def __init__(self, client: Any) -> None:
        self.client = client
        self.outer: Exchange | None = None
        self.headers: Any = None
        self.retries: int | None = None


#: The exchange under way in this context. Another call of the same client, made inside
#: it, is part of it.
current_exchange: ContextVar[Exchange | None] = ContextVar(
    "libretto_exchange", default=None
)
