"""Calls under way whose requests may be sent by another thread.

There, the context variable of the exchange is not set. A request that equals one of
these calls' is taken to be its own, and is not recorded again.
"""

from functools import lru_cache
from typing import Any

from .endpoints.table import Endpoint
from .record import CallRecord

#: By the identity of the record's exchange.
detours: dict[int, CallRecord] = {}


@lru_cache(maxsize=256)
def may_detour(kind: type) -> bool:
    """Return whether clients of a class send requests by methods that openai lacks."""
    return any(
        name in base.__dict__ and base.__module__.partition(".")[0] != "openai"
        for base in kind.__mro__
        for name in ("request", "post")
    )


def is_detour(client: Any, endpoint: Endpoint, body: dict[str, Any]) -> bool:
    """Return whether a call that was started elsewhere sends this very request."""
    for record in list(detours.values()):
        if record.endpoint is endpoint and record.exchange.client is client:
            sent = record.request
            names = [name for name in ("model", endpoint.input) if name in sent]
            if all(sent[name] == body.get(name) for name in names):
                return True
    return False
