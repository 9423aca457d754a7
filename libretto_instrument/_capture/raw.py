"""Raw responses: handed back as they are, read by nobody before their caller.

openai reads the body of an ordinary raw response itself, before it hands it over; then
the answer is known at once. What it leaves unread is recorded as the caller reads it,
by whichever of the ways there are, or when the response closes.
"""

from time import perf_counter
from typing import Any

from . import feedback_keys
from .call import Call
from .response_hooks import watch_bytes, watch_close
from .stream_state import Recording


def record(call: Call, raw: Any) -> None:
    """Record what the caller will learn from ``raw``."""
    response = raw.http_response
    # Not every gateway says of a stream that it is one.
    says_so = "event-stream" in response.headers.get("content-type", "")
    is_stream = says_so or call.request.get("stream") is True
    call.begin_pieces("events" if is_stream else "bytes")
    feedback_keys.remember(raw, call.feedback_key)
    content = _known(response)
    if content is not None:
        call.ended = perf_counter()
        call.pieces.append(content)
        call.submit()
        return
    recording = Recording(call)
    watch_bytes(response, call, waits=None, owner=recording)
    watch_close(response, recording, waits=None)


def _known(response: Any) -> bytes | None:
    """Return the body if it has been read; asking reads nothing."""
    try:
        content: bytes = response.content
    except RuntimeError:  # httpx's and httpx2's ResponseNotRead are RuntimeErrors.
        return None
    return content
