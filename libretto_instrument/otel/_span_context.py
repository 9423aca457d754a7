"""Trace and span ids, derived so that every process computes the same.

An event says which chain it belongs to and which span it was made in, but nothing of
trace or span ids of its own, and feedback says no more than a key. So ids are derived:
the calls of a chain, the chain's result and later feedback may come from different
processes and still meet.
"""

from collections.abc import Mapping
from hashlib import sha256
from typing import Any
from uuid import UUID

from opentelemetry.trace import SpanContext, TraceFlags

_SAMPLED = TraceFlags(TraceFlags.SAMPLED)


def call_span_context(feedback_key: str, trace_id: int) -> SpanContext:
    """Return the span context of the call with a feedback key."""
    return _span_context(trace_id, "call", feedback_key)


def chain_span_context(chain_id: str) -> SpanContext:
    """Return the span of a chain.

    Its trace id is the chain's UUID, so that a chain that took its id from a trace is
    in that trace.
    """
    return _span_context(derive_trace_id(chain_id), "chain", chain_id)


def parent_span_context(context: Any) -> SpanContext | None:
    """Return the program's own span that a call was made in, as its context says."""
    if not isinstance(context, Mapping):
        return None
    trace_id = _parse_hex_id(context.get("trace_id"), 32)
    span_id = _parse_hex_id(context.get("span_id"), 16)
    if not trace_id or not span_id:
        return None
    return SpanContext(trace_id, span_id, is_remote=True, trace_flags=_SAMPLED)


def derive_trace_id(name: str) -> int:
    """Return the trace id that an id stands for: its 128 bits if it is a UUID."""
    try:
        trace_id = UUID(name).int
    except ValueError:
        trace_id = 0
    return trace_id or _derive_id("trace", name, 16)


def _span_context(trace_id: int, kind: str, name: str) -> SpanContext:
    span_id = _derive_id(kind, name, 8)
    return SpanContext(trace_id, span_id, is_remote=False, trace_flags=_SAMPLED)


def _derive_id(kind: str, name: str, size: int) -> int:
    digest = sha256(f"{kind}:{name}".encode("utf-8", "surrogatepass")).digest()
    # Zero is not a valid id.
    return int.from_bytes(digest[:size], "big") or 1


def _parse_hex_id(text: Any, digits: int) -> int:
    """Return a W3C id as a number, or 0 if it is none."""
    if not isinstance(text, str) or len(text) != digits:
        return 0
    try:
        return int(text, 16)
    except ValueError:
        return 0
