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
from .record import Record
from .stream_state import Recording, follow, follow_async, keep, keep_async

_Methods = dict[str, Callable[..., Any]]


def watch_close(response: Any, recording: Recording, *, waits: bool | None) -> None:
    """Tell ``recording`` when ``response`` has been closed.

    Args:
        response: An HTTP response with ``close()`` and ``aclose()``.
        recording: Held weakly: its owner decides how long it lives.
        waits: Whether it is awaited; None if that is not known.
    """
    to_recording = weakref.ref(recording)
    ours: _Methods = {}

    def tell() -> None:
        try:
            _take_off(response, ours)
            told = to_recording()
            if told is not None:
                told.closed()
        except Exception as exc:
            errors.swallow(exc, "capture.closed")

    # The response is held, not looked up by a weak reference: those are already dead
    # when the garbage collector closes a forgotten stream.
    if waits is not True:
        close_before = response.close

        def close() -> Any:
            try:
                return close_before()
            finally:
                tell()

        ours["close"] = close

    if waits is not False:
        aclose_before = response.aclose

        async def aclose() -> Any:
            try:
                return await aclose_before()
            finally:
                tell()

        ours["aclose"] = aclose

    response.__dict__.update(ours)


def watch_bytes(
    response: Any,
    record: Record,
    *,
    waits: bool | None,
    owner: Recording | None = None,
) -> None:
    """Keep the decoded bytes of ``response`` in ``record`` as they are read.

    Every way to read a response but ``iter_raw`` goes through these two methods.

    Args:
        response: An HTTP response with ``iter_bytes()`` and ``aiter_bytes()``.
        record: Keeps them.
        waits: As for `watch_close`.
        owner: What is told of their end, and from here on owned by the response. Left
            out, whoever makes something of the bytes sees to it.
    """
    kept, stamps = record.pieces, record.stamps
    if waits is not True:
        iter_before = response.iter_bytes

        def iter_bytes(*args: Any, **kwargs: Any) -> Iterator[bytes]:
            pieces = keep(iter_before(*args, **kwargs), kept, stamps)
            return follow(pieces, owner) if owner else pieces

        response.iter_bytes = iter_bytes

    if waits is not False:
        aiter_before = response.aiter_bytes

        def aiter_bytes(*args: Any, **kwargs: Any) -> AsyncIterator[bytes]:
            pieces = keep_async(aiter_before(*args, **kwargs), kept, stamps)
            return follow_async(pieces, owner) if owner else pieces

        response.aiter_bytes = aiter_bytes


def _take_off(response: Any, ours: _Methods) -> None:
    """Remove what was set, unless somebody else's method lies on top of it."""
    for name, method in ours.items():
        if response.__dict__.get(name) is method:
            del response.__dict__[name]
