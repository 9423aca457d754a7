"""Raw responses: returned as they are, and read by nobody before their caller.

openai reads the body of an ordinary raw response before it returns it. A body that it
leaves unread is recorded as the caller reads it, or when the response closes.
"""

import weakref
from time import perf_counter
from typing import Any

from . import feedback_keys
from .call import Call
from .response_hooks import content_if_read, on_close, tee_bytes
from .stream_state import StreamState


def capture_raw_response(call: Call, raw: Any) -> None:
    """Record what the caller will learn from a raw response."""
    feedback_keys.remember(raw, call.record.feedback_key)
    capture_http_response(call, raw.http_response)


def capture_http_response(call: Call, response: Any) -> None:
    """Record what the caller will learn from an HTTP response."""
    record = call.record
    # Not every gateway says of a stream that it is one.
    says_so = "event-stream" in response.headers.get("content-type", "")
    is_stream = says_so or record.request.get("stream") is True
    record.start_streaming("events" if is_stream else "bytes")
    content = content_if_read(response)
    if content is not None:
        record.ended = perf_counter()
        record.chunks.append(content)
        call.submit()
        return
    # The response owns the state.
    state = response._libretto_state = StreamState(call)
    tee_bytes(response, record, weakref.ref(state), is_async=None)
    on_close(response, state, is_async=None)
