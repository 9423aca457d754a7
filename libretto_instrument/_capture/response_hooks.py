"""Seeing what happens to an HTTP response without owning it.

openai's helper streams and raw responses read and close the HTTP response directly, so
the response is the one place that sees every way to an end. Methods are set on the
instance, call what was there before, and come off again when the response closes. No
HTTP library is imported: what has the methods is watched.
"""

import weakref
from collections.abc import AsyncIterator, Callable, Iterator
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
    """Tell ``state`` when ``response`` has been closed.

    Args:
        response: An HTTP response with ``close()`` and ``aclose()``.
        state: Held weakly: its owner decides how long it lives.
        is_async: Whether it is awaited; None if that is not known.
    """
    to_recording = weakref.ref(state)
    ours: _Methods = {}

    def tell() -> None:
        try:
            _take_off(response, ours)
            told = to_recording()
            if told is not None:
                told.on_response_closed()
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
                tell()

        ours["close"] = close

    if is_async is not False:
        aclose_before = response.aclose

        async def aclose() -> Any:
            try:
                return await aclose_before()
            finally:
                tell()

        ours["aclose"] = aclose

    response.__dict__.update(ours)


def tee_bytes(
    response: Any,
    record: CallRecord,
    *,
    is_async: bool | None,
    owner: StreamState | None = None,
) -> None:
    """Keep the decoded bytes of ``response`` in ``record`` as they are read.

    Every way to read a response but ``iter_raw`` goes through these two methods.

    Args:
        response: An HTTP response with ``iter_bytes()`` and ``aiter_bytes()``.
        record: Keeps them.
        is_async: As for `on_close`.
        owner: What is told of their end, and from here on owned by the response. Left
            out, whoever makes something of the bytes sees to it.
    """
    kept, chunk_times = record.chunks, record.chunk_times
    if is_async is not True:
        iter_before = response.iter_bytes

        def iter_bytes(*args: Any, **kwargs: Any) -> Iterator[bytes]:
            pieces = tee(iter_before(*args, **kwargs), kept, chunk_times)
            return track_iteration(pieces, owner) if owner else pieces

        response.iter_bytes = iter_bytes

    if is_async is not False:
        aiter_before = response.aiter_bytes

        def aiter_bytes(*args: Any, **kwargs: Any) -> AsyncIterator[bytes]:
            pieces = tee_async(aiter_before(*args, **kwargs), kept, chunk_times)
            return track_async_iteration(pieces, owner) if owner else pieces

        response.aiter_bytes = aiter_bytes


def _take_off(response: Any, ours: _Methods) -> None:
    """Remove what was set, unless somebody else's method lies on top of it."""
    for name, method in ours.items():
        if response.__dict__.get(name) is method:
            del response.__dict__[name]
