"""Hooks on an HTTP response: notice that it closes, and tee its bytes.

openai's helper streams and raw responses read and close the HTTP response directly.
Methods are set on the instance, call what was there before, and come off again when the
response closes. No HTTP library is imported.
"""

import weakref
from collections.abc import AsyncIterator, Callable, Iterator
from time import perf_counter
from typing import Any

from .._util import errors
from .record import CallRecord
from .stream_state import (
    StreamState,
    tee,
    tee_async,
    track_async_iteration,
    track_iteration,
)

_Methods = dict[str, Callable[..., Any]]


def on_close(response: Any, state: StreamState, *, is_async: bool | None) -> None:
    """Notify ``state`` when ``response`` has been closed.

    Args:
        response: An HTTP response with ``close()`` and ``aclose()``.
        state: The state; held weakly.
        is_async: Whether the response is read by awaiting; None if not known.
    """
    to_state = weakref.ref(state)
    overrides: _Methods = {}

    def notify() -> None:
        try:
            _restore(response, overrides)
            found = to_state()
            if found is not None and not found.is_reading:
                _record_content(response, found)
                found.finish("closed_early")
        except Exception as exc:
            errors.log_internal_error(exc, "capture.closed")

    # The response is held, not looked up by a weak reference: those are already dead
    # when the garbage collector closes a forgotten stream.
    if is_async is not True:
        close_before = response.close

        def close() -> Any:
            try:
                return close_before()
            finally:
                notify()

        overrides["close"] = close

    if is_async is not False:
        aclose_before = response.aclose

        async def aclose() -> Any:
            try:
                return await aclose_before()
            finally:
                notify()

        overrides["aclose"] = aclose

    response.__dict__.update(overrides)


def tee_bytes(
    response: Any,
    record: CallRecord,
    get_state: weakref.ref[StreamState],
    *,
    is_async: bool | None,
) -> None:
    """Record the decoded bytes of a response as they are read.

    Every way to read a response but ``iter_raw`` goes through these two methods.

    Args:
        response: An HTTP response with ``iter_bytes()`` and ``aiter_bytes()``.
        record: Takes the bytes.
        get_state: The state of the stream that reads the response. What is read in
            another way is tracked as the answer itself.
        is_async: As for `on_close`.
    """
    chunks, times = record.chunks, record.chunk_times
    if is_async is not True:
        iter_before = response.iter_bytes

        def iter_bytes(*args: Any, **kwargs: Any) -> Iterator[bytes]:
            teed = tee(iter_before(*args, **kwargs), chunks, times)
            state = get_state()
            if state is None or state.is_reading:
                return teed
            state.is_counted = False
            return track_iteration(teed, state)

        response.iter_bytes = iter_bytes

    if is_async is not False:
        aiter_before = response.aiter_bytes

        def aiter_bytes(*args: Any, **kwargs: Any) -> AsyncIterator[bytes]:
            teed = tee_async(aiter_before(*args, **kwargs), chunks, times)
            state = get_state()
            if state is None or state.is_reading:
                return teed
            state.is_counted = False
            return track_async_iteration(teed, state)

        response.aiter_bytes = aiter_bytes


def content_if_read(response: Any) -> bytes | None:
    """Return the body if it has been read, without reading it."""
    try:
        content: bytes = response.content
    except RuntimeError:  # httpx's and httpx2's ResponseNotRead are RuntimeErrors.
        return None
    return content


def _record_content(response: Any, state: StreamState) -> None:
    """Record the body of a response that was read before it was teed."""
    record = state.call.record
    if record.body_kind == "chunks" or record.chunks or state.call.is_submitted:
        return
    content = content_if_read(response)
    if content:
        record.chunks.append(content)
        record.chunk_times.append(perf_counter())
        state.is_counted = False


def _restore(response: Any, overrides: _Methods) -> None:
    """Remove what was set, unless another method was set on top of it."""
    for name, method in overrides.items():
        if response.__dict__.get(name) is method:
            del response.__dict__[name]
