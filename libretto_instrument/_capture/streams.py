"""Streams and raw responses, recorded as they are read.

A recorded stream has the class of openai's own to `isinstance`, the same attributes,
and hands each chunk over before the next is read. Recorded are the bytes of the
response, before openai makes chunks of them: they take less memory than models, and the
caller cannot change them. The worker parses them.
"""

from collections.abc import AsyncIterator, Iterator
from time import perf_counter
from typing import Any

from .._util import errors
from . import feedback_keys
from .call import Call
from .proxies import Proxy, proxy_class
from .response_hooks import content_if_read, on_close, own_state, tee_bytes
from .stream_state import StreamState, track_async_iteration, track_iteration


class StreamProxy(Proxy):
    """A proxy of a stream of openai's, or of what another patcher made of one.

    `proxy_class` leaves out the methods that the stream itself does not have.
    """

    __slots__ = ("_self_state",)

    def __init__(self, stream: Any, call: Call) -> None:
        # Set as `Proxy` does, with fewer function calls.
        object.__setattr__(self, "__wrapped__", stream)
        record = call.record
        # Another patcher may have made a plain generator of it, without a response.
        response = getattr(stream, "response", None)
        is_sse = _decodes_sse_bytes(stream, response)
        record.start_streaming("events" if is_sse else "chunks")
        # Another thread's flush may end it from here on.
        state = StreamState(call, is_counted=is_sse)
        object.__setattr__(self, "_self_state", state)
        try:
            if is_sse:
                tee_bytes(response, state)
            if response is not None:
                on_close(response, state)
        except Exception as exc:
            errors.log_internal_error(exc, "capture.hooks")
        feedback_keys.remember(self, record.feedback_key)

    @property
    def response(self) -> Any:
        """The HTTP response; who has it may read it when the stream is gone."""
        response: Any = self.__wrapped__.response
        state = self._self_state
        if not state.call.is_submitted:
            try:
                own_state(response, state)
            except Exception as exc:
                errors.log_internal_error(exc, "capture.response")
        return response

    def __iter__(self) -> Iterator[Any]:
        return track_iteration(self.__wrapped__, self._self_state)

    def __aiter__(self) -> AsyncIterator[Any]:
        return track_async_iteration(self.__wrapped__, self._self_state)

    def __next__(self) -> Any:
        state = self._self_state
        with state:
            chunk = self.__wrapped__.__next__()
        if state.records_items:
            state.add(chunk)
        return chunk

    async def __anext__(self) -> Any:
        state = self._self_state
        with state:
            chunk = await self.__wrapped__.__anext__()
        if state.records_items:
            state.add(chunk)
        return chunk

    def __enter__(self) -> "StreamProxy":
        self.__wrapped__.__enter__()
        return self

    async def __aenter__(self) -> "StreamProxy":
        await self.__wrapped__.__aenter__()
        return self


def _decodes_sse_bytes(stream: Any, response: Any) -> bool:
    """Return whether openai will read ``stream`` from its response's bytes."""
    decoder = type(getattr(stream, "_decoder", None))
    return decoder.__module__ == "openai._streaming" and hasattr(response, "iter_bytes")


def record_stream(call: Call, stream: Any) -> Any:
    """Return a proxy of ``stream`` that records ``call`` as it is read."""
    kind: type = type(stream)
    return proxy_class(StreamProxy, kind)(stream, call)


def record_raw_response(call: Call, raw: Any) -> None:
    """Record what the caller will learn from a raw response."""
    feedback_keys.remember(raw, call.record.feedback_key)
    record_http_response(call, raw.http_response)


def record_http_response(call: Call, response: Any) -> None:
    """Record what the caller will learn from an HTTP response.

    openai reads the body of an ordinary raw response before it returns it. A body that
    it leaves unread is recorded as the caller reads it, or when the response closes.
    """
    record = call.record
    # Not every gateway says of a stream that it is one.
    says_so = "event-stream" in response.headers.get("content-type", "")
    is_stream = says_so or record.request.get("stream") is True
    record.start_streaming("events" if is_stream else "bytes")
    content = content_if_read(response)
    if content is not None:
        record.ended = perf_counter()
        record.chunks.append(content)
        record.chunk_times.append(record.ended)
        call.submit()
        return
    state = StreamState(call)
    own_state(response, state)
    tee_bytes(response, state)
    on_close(response, state)
