"""A bounded cache of recent calls and chains, for feedback and results that follow."""

from collections import OrderedDict
from typing import Any

from attrs import define, field, frozen
from opentelemetry.trace import SpanContext

#: Maximum number of calls, and of chains; the oldest are evicted first.
MAX_ENTRIES = 4_096


@frozen
class CallContext:
    """A call that feedback may come for: its span, and ids of event and response."""

    event_id: str
    span_context: SpanContext
    response_id: Any


@frozen
class ChainContext:
    """A chain under way: when its first call began, in nanoseconds since the epoch,
    and the program's own span that it is in, if that is in the same trace.
    """

    started: int
    parent: SpanContext | None


@define
class CorrelationCache:
    """Calls by feedback key, and chains by id."""

    calls: "OrderedDict[str, CallContext]" = field(factory=OrderedDict)
    chains: "OrderedDict[str, ChainContext]" = field(factory=OrderedDict)

    def remember_call(self, key: str, call: CallContext) -> None:
        """Remember a call."""
        _put(self.calls, key, call)

    def remember_chain(self, chain_id: str, chain: ChainContext) -> None:
        """Remember when a chain began: the earliest that is known."""
        known = self.chains.get(chain_id)
        if known is not None:
            parent = known.parent or chain.parent
            chain = ChainContext(min(known.started, chain.started), parent)
        _put(self.chains, chain_id, chain)


def _put(known: "OrderedDict[str, Any]", key: str, value: Any) -> None:
    known[key] = value
    known.move_to_end(key)
    while len(known) > MAX_ENTRIES:
        known.popitem(last=False)
