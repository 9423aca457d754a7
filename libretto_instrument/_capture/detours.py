"""Calls whose requests may be sent from another context than their own.

A wrapper between a patched method and the client may run the request on another thread,
where the context variable of `exchange` is not set. Such calls are kept here while they
are under way, and their requests are known by what they ask.
"""

from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .endpoints.table import Endpoint
    from .record import CallRecord

#: The calls under way whose requests may be sent elsewhere, by their exchanges'
#: identities.
in_flight: "dict[int, CallRecord]" = {}

_METHODS = ("request", "post")


@lru_cache(maxsize=256)
def may_detour(kind: type) -> bool:
    """Return whether clients of a class send requests by methods that openai lacks."""
    return any(
        name in base.__dict__ and base.__module__.partition(".")[0] != "openai"
        for base in kind.__mro__
        for name in _METHODS
    )


def is_in_flight(client: Any, endpoint: "Endpoint", body: dict[str, Any]) -> bool:
    """Return whether a call that was started elsewhere sends this very request.

    Args:
        client: The client that sends it.
        endpoint: Its endpoint.
        body: Its JSON body.
    """
    for record in list(in_flight.values()):
        if record.endpoint is endpoint and record.exchange.client is client:
            sent = record.request
            names = [name for name in ("model", endpoint.input) if name in sent]
            if all(sent[name] == body.get(name) for name in names):
                return True
    return False
