"""Proxies of streams that record what is read.

A recorded stream has the class of openai's own to `isinstance`, the same attributes,
and hands each chunk over before the next is read. Recorded are the bytes of the
response, before openai makes chunks of them: they take less memory than models, and the
caller cannot change them. The worker parses them.
"""

import weakref
from collections.abc import AsyncIterator, Iterator
from typing import Any

from .._util import errors
from . import feedback_keys
from .call import Call
from .proxies import Proxy, proxy_class
from .response_hooks import on_close, tee_bytes
from .stream_state import (
    StreamState,
    tee,
    tee_async,
    track_async_iteration,
    track_iteration,
)


class _RecordedStream(Proxy):
    """What the two kinds of recorded streams share."""

    __slots__ = ("_self_state",)

    def __init__(self, stream: Any, call: Call, *, is_async: bool) -> None:
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
                tee_bytes(response, record, weakref.ref(state), is_async=is_async)
            if response is not None:
                on_close(response, state, is_async=is_async)
        except Exception as exc:
            errors.log_internal_error(exc, "capture.hooks")
        feedback_keys.remember(self, record.feedback_key)

    @property
    def _iterator(self) -> Any:
        # Some programs read from where openai's own stream does.
        iterator: Any = self.__wrapped__._iterator
        if hasattr(iterator, "__anext__"):
            return track_async_iteration(iterator, self._self_state)
        return track_iteration(iterator, self._self_state)


def _decodes_sse_bytes(stream: Any, response: Any) -> bool:
    """Return whether openai will read ``stream`` from its response's bytes."""
    decoder = type(getattr(stream, "_decoder", None))
    return decoder.__module__ == "openai._streaming" and hasattr(response, "iter_bytes")


class StreamProxy(_RecordedStream):
    """A proxy of an `openai.Stream`, or of what another patcher made of one."""

    __slots__ = ()

    def __iter__(self) -> Iterator[Any]:
        chunks, state = self.__wrapped__, self._self_state
        record = state.call.record
        if record.body_kind == "chunks":
            chunks = tee(chunks, record.chunks, record.chunk_times)
        return track_iteration(chunks, state)

    def __next__(self) -> Any:
        state = self._self_state
        with state:
            chunk = self.__wrapped__.__next__()
        state.add(chunk)
        return chunk

    def __enter__(self) -> "StreamProxy":
        self.__wrapped__.__enter__()
        return self


class AsyncStreamProxy(_RecordedStream):
    """A proxy of an `openai.AsyncStream`, or of what another patcher made of one."""

    __slots__ = ()

    def __aiter__(self) -> AsyncIterator[Any]:
        chunks, state = self.__wrapped__, self._self_state
        record = state.call.record
        if record.body_kind == "chunks":
            chunks = tee_async(chunks, record.chunks, record.chunk_times)
        return track_async_iteration(chunks, state)

    async def __anext__(self) -> Any:
        state = self._self_state
        with state:
            chunk = await self.__wrapped__.__anext__()
        state.add(chunk)
        return chunk

    async def __aenter__(self) -> "AsyncStreamProxy":
        await self.__wrapped__.__aenter__()
        return self


def record_stream(call: Call, stream: Any, *, is_async: bool) -> Any:
    """Return a proxy of ``stream`` that records ``call`` as it is read.

    Args:
        call: A call.
        stream: The stream that answers it.
        is_async: Whether it is read by awaiting.
    """
    model = AsyncStreamProxy if is_async else StreamProxy
    kind: type = type(stream)
    return proxy_class(model, kind)(stream, call, is_async=is_async)
