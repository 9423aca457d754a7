"""Raw responses: handed back as they are, read by nobody before their caller.

openai reads the body of an ordinary raw response itself, before it hands it over; then
the answer is known at once. What it leaves unread is recorded as the caller reads it,
by whichever of the ways there are, or when the response closes.
"""

from time import perf_counter
from typing import Any

from . import feedback_keys
from .call import Call
from .response_hooks import on_close, tee_bytes
from .stream_state import StreamState


def capture_raw_response(call: Call, raw: Any) -> None:
    """CallRecord what the caller will learn from ``raw``."""
    feedback_keys.remember(raw, call.feedback_key)
    capture_http_response(call, raw.http_response)


def capture_http_response(call: Call, response: Any) -> None:
    """Record what the caller will learn from an HTTP response."""
    # Not every gateway says of a stream that it is one.
    says_so = "event-stream" in response.headers.get("content-type", "")
    is_stream = says_so or call.request.get("stream") is True
    call.start_streaming("events" if is_stream else "bytes")
    content = _content_if_read(response)
    if content is not None:
        call.ended = perf_counter()
        call.chunks.append(content)
        call.submit()
        return
    state = StreamState(call)
    tee_bytes(response, call, is_async=None, owner=state)
    on_close(response, state, is_async=None)


def _content_if_read(response: Any) -> bytes | None:
    """Return the body if it has been read; current_client reads nothing."""
    try:
        content: bytes = response.content
    except RuntimeError:  # httpx's and httpx2's ResponseNotRead are RuntimeErrors.
        return None
    return content
