"""The program's current OpenTelemetry span, if there is one.

Nothing of OpenTelemetry is imported here: a program that has a span has imported it.
"""

import sys
from typing import Any
from uuid import UUID

from . import errors

#: While this is not imported, no span can be current. While another thread imports it,
#: it may be there without its functions.
OPENTELEMETRY = "opentelemetry.trace"


def add_trace_context(context: dict[str, Any] | None) -> dict[str, Any] | None:
    """Return a call's context with the ids of the current span, if there is one.

    Never raises. The caller's own ``trace_id`` or ``span_id`` stands, and then neither
    is added: half of one place and half of another would lead nowhere.

    Args:
        context: The caller's own keys and values; not changed.
    """
    # On the caller's thread, at each call: one function, not three.
    try:
        module: Any = sys.modules.get(OPENTELEMETRY)
        if not hasattr(module, "get_current_span"):
            return context
        span = module.get_current_span().get_span_context()
        if not span.is_valid:
            return context
        if context and not context.keys().isdisjoint(_TRACE_FIELDS):
            return context
        ids = {"trace_id": f"{span.trace_id:032x}", "span_id": f"{span.span_id:016x}"}
        return {**context, **ids} if context else ids
    except Exception as exc:
        errors.log_internal_error(exc, "trace.add_trace_context")
        return context


_TRACE_FIELDS = ("trace_id", "span_id")


def trace_id_as_uuid() -> str | None:
    """Return the current trace's id, its 32 digits written as a UUID, or None.

    Never raises.
    """
    ids = add_trace_context(None)
    return str(UUID(ids["trace_id"])) if ids else None
