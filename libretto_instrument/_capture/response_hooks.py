"""Hooks on an HTTP response: notice that it closes, and tee its bytes.

openai's helper streams and raw responses read and close the HTTP response directly.
Methods are set on the instance, call what was there before, and come off again when the
response closes, so that it can be pickled as before. No HTTP library is imported.
"""

import weakref
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator
from time import perf_counter
from typing import Any

from .._util import errors
from .stream_state import StreamState, track_async_iteration, track_iteration

#: The attribute of a response that holds the state of its answer.
_STATE_ATTR = "_libretto_state"
_HOOKED = ("close", "aclose", "iter_bytes", "aiter_bytes")


def own_state(response: Any, state: StreamState) -> None:
    """Keep ``state`` until ``response`` is closed or dropped."""
    setattr(response, _STATE_ATTR, state)


def on_close(response: Any, state: StreamState) -> None:
    """Notify ``state``, which is held weakly, when ``response`` has been closed.

    Hooks that were set on the response before come off as well.
    """
    to_state = weakref.ref(state)
    # Another patcher's response may have only one of them.
    close_before: Any = getattr(response, "close", None)
    aclose_before: Any = getattr(response, "aclose", None)

    def close() -> Any:
        try:
            return close_before()
        finally:
            notify()

    async def aclose() -> Any:
        try:
            return await aclose_before()
        finally:
            notify()

    def notify() -> None:
        try:
            found, held = to_state(), response.__dict__
            held.pop(_STATE_ATTR, None)
            for name in _HOOKED:
                # Unless another method was set on top of it.
                if getattr(held.get(name), "__module__", None) == __name__:
                    del held[name]
            if found is not None and not found.is_reading:
                _record_content(response, found)
                found.finish("closed_early")
        except Exception as exc:
            errors.log_internal_error(exc, "capture.closed")

    # The response is held, not looked up by a weak reference: those are already dead
    # when the garbage collector closes a forgotten stream.
    if close_before is not None:
        response.close = close
    if aclose_before is not None:
        response.aclose = aclose


def tee_bytes(response: Any, state: StreamState) -> None:
    """Record the decoded bytes of a response as they are read.

    Every way to read a response but ``iter_raw`` goes through the two methods. What is
    read while the stream's own reader is not at work is tracked as the answer itself.

    Args:
        response: An HTTP response with ``iter_bytes()`` and ``aiter_bytes()``.
        state: The state of the stream that reads the response; held weakly.
    """
    to_state, record = weakref.ref(state), state.call.record
    add, add_time = record.chunks.append, record.chunk_times.append

    # These two do not hold the state: openai's stream holds itself, and them, in a
    # cycle, and the state of a dropped stream must not wait for the garbage collector.

    def tee(chunks: Iterable[bytes]) -> Iterator[bytes]:
        for chunk in chunks:
            add(chunk)
            add_time(perf_counter())
            yield chunk

    async def tee_async(chunks: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
        async for chunk in chunks:
            add(chunk)
            add_time(perf_counter())
            yield chunk

    def hook(read: Any, tee: Any, track: Any) -> Callable[..., Any]:
        def read_and_tee(*args: Any, **kwargs: Any) -> Any:
            teed = tee(read(*args, **kwargs))
            state = to_state()
            if state is None or state.is_reading:
                return teed
            state.is_counted = False
            return track(teed, state)

        return read_and_tee

    response.iter_bytes = hook(response.iter_bytes, tee, track_iteration)
    read_async = getattr(response, "aiter_bytes", None)
    if read_async is not None:
        response.aiter_bytes = hook(read_async, tee_async, track_async_iteration)


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
    if state.records_items or record.chunks or state.call.is_submitted:
        return
    content = content_if_read(response)
    if content:
        state.add(content)
        state.is_counted = False
