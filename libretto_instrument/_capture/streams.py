"""Streams that report what came through them.

A recorded stream is a proxy of openai's own: same class to `isinstance`, same
attributes, each chunk handed over before the next is read. Kept is what the response
brings, before openai makes chunks of it: bytes cost less to keep than models do, and
no caller can change them. Reading them is_async for the worker.
"""

from collections.abc import AsyncIterator, Iterator
from time import perf_counter
from types import TracebackType
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


class _Recorded(Proxy):
    """What the two kinds of recorded stream share."""

    __slots__ = ("_self_recording",)

    #: Whether its response is awaited.
    _self_is_async: bool

    def __init__(self, stream: Any, call: Call) -> None:
        # Set as `Proxy` does, with fewer calls of functions.
        object.__setattr__(self, "__wrapped__", stream)
        # Another patcher may have made a plain generator of it, without a response.
        response = getattr(stream, "response", None)
        try:
            if _decodes_sse_bytes(stream, response):
                call.start_streaming("events")
                call.chunks_consumed = 0
                tee_bytes(response, call, is_async=self._self_is_async)
        except Exception as exc:
            errors.log_internal_error(exc, "capture.watch")
        if call.body_kind is None:
            call.start_streaming("chunks")
        # Last: once there is a state, another thread's flush may end it.
        state = StreamState(call)
        object.__setattr__(self, "_self_recording", state)
        try:
            # `.stream()` helpers close the response past the stream.
            if response is not None:
                on_close(response, state, is_async=self._self_is_async)
        except Exception as exc:
            errors.log_internal_error(exc, "capture.watch")
        feedback_keys.remember(self, call.feedback_key)


def _decodes_sse_bytes(stream: Any, response: Any) -> bool:
    """Say whether openai will read ``stream`` from its response's bytes, as events."""
    decoder = type(getattr(stream, "_decoder", None))
    return decoder.__module__ == "openai._streaming" and hasattr(response, "iter_bytes")


class StreamProxy(_Recorded):
    """A proxy of an `openai.Stream`, or of what another patcher made of one."""

    __slots__ = ()

    _self_is_async = False

    def __iter__(self) -> Iterator[Any]:
        chunks, state = self.__wrapped__, self._self_recording
        call = state.call
        if call.body_kind == "chunks":
            chunks = tee(chunks, call.chunks, call.chunk_times)
        return track_iteration(chunks, state)

    def __next__(self) -> Any:
        state = self._self_recording
        state.on_read_start()
        state.reading = True
        try:
            chunk = self.__wrapped__.__next__()
        except StopIteration:
            state.finish()
            raise
        except BaseException as exc:
            state.on_error(exc)
            raise
        state.reading = False
        state.chunks_consumed += 1
        call = state.call
        if call.body_kind == "chunks":
            call.chunks.append(chunk)
            call.chunk_times.append(perf_counter())
        return chunk

    def __enter__(self) -> "StreamProxy":
        self.__wrapped__.__enter__()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> Any:
        try:
            return self.__wrapped__.__exit__(exc_type, exc, traceback)
        finally:
            self._self_recording.finish("closed_early")

    def close(self) -> Any:
        """Close the response, as the stream itself does."""
        try:
            return self.__wrapped__.close()
        finally:
            self._self_recording.finish("closed_early")


class AsyncStreamProxy(_Recorded):
    """A proxy of an `openai.AsyncStream`, or of what another patcher made of one."""

    __slots__ = ()

    _self_is_async = True

    def __aiter__(self) -> AsyncIterator[Any]:
        chunks, state = self.__wrapped__, self._self_recording
        call = state.call
        if call.body_kind == "chunks":
            chunks = tee_async(chunks, call.chunks, call.chunk_times)
        return track_async_iteration(chunks, state)

    async def __anext__(self) -> Any:
        state = self._self_recording
        state.on_read_start()
        state.reading = True
        try:
            chunk = await self.__wrapped__.__anext__()
        except StopAsyncIteration:
            state.finish()
            raise
        except BaseException as exc:
            state.on_error(exc)
            raise
        state.reading = False
        state.chunks_consumed += 1
        call = state.call
        if call.body_kind == "chunks":
            call.chunks.append(chunk)
            call.chunk_times.append(perf_counter())
        return chunk

    async def __aenter__(self) -> "AsyncStreamProxy":
        await self.__wrapped__.__aenter__()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> Any:
        try:
            return await self.__wrapped__.__aexit__(exc_type, exc, traceback)
        finally:
            self._self_recording.finish("closed_early")

    async def close(self) -> Any:
        """Close the response, as the stream itself does."""
        try:
            return await self.__wrapped__.close()
        finally:
            self._self_recording.finish("closed_early")

    async def aclose(self) -> Any:
        """Close the response; the other name of `close` that openai 3 has."""
        try:
            return await self.__wrapped__.aclose()
        finally:
            self._self_recording.finish("closed_early")


def recorded(call: Call, stream: Any, *, is_async: bool) -> Any:
    """Return a proxy of ``stream`` that records ``call`` as it is read.

    Args:
        call: A call.
        stream: The stream that answers it.
        is_async: Whether it is read by awaiting.
    """
    model = AsyncStreamProxy if is_async else StreamProxy
    kind: type = type(stream)
    return proxy_class(model, kind)(stream, call)
