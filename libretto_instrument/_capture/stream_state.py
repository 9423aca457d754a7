"""The state of a streamed answer: what came of it, and whether it has ended.

An answer ends once: exhausted, failed, cancelled, closed, or garbage-collected. One
whose loop was left may be read on, so it stays open until it is closed, collected,
flushed, or the program ends.
"""

import os
import weakref
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator
from time import perf_counter
from typing import Any

from .call import Call

_CANCELLED = frozenset(("CancelledError", "Cancelled"))

#: The answers under way, by identity. A dict, as its values can be listed while other
#: threads add to it, and a plain one, as adding to it delays each stream.
_active_streams: "dict[int, weakref.ref[StreamState]]" = {}


class StreamState:
    """What came of one answer so far. As a context manager, one read of it.

    Attributes:
        call: The call that is answered.
        chunks_consumed: How many items the caller has read.
        is_counted: The items are the stream's chunks, and not the response's bytes.
        is_reading: A read is under way. That the response closes then is no early end.
        is_left: The last loop over the answer was left.
    """

    __slots__ = (
        "__weakref__",
        "_chunk_times",
        "_chunks",
        "_iteration",
        "call",
        "chunks_consumed",
        "is_counted",
        "is_left",
        "is_reading",
    )

    def __init__(self, call: Call, *, is_counted: bool = False) -> None:
        self.call = call
        self.chunks_consumed = 0
        self.is_counted = is_counted
        self.is_reading = False
        self.is_left = False
        self._iteration = 0
        # Not the lists that the worker reads; see `_freeze`.
        self._chunks = call.record.chunks
        self._chunk_times = call.record.chunk_times
        _active_streams[id(self)] = weakref.ref(self)

    def __enter__(self) -> None:
        self.on_read_start()
        self.is_reading = True

    def __exit__(self, kind: Any, exc: BaseException | None, traceback: Any) -> None:
        if exc is None:
            self.is_reading = False
            self.chunks_consumed += 1
        elif isinstance(exc, StopIteration | StopAsyncIteration):
            self.finish()
        else:
            self.on_error(exc)

    @property
    def records_items(self) -> bool:
        """Whether the items that are read are recorded, not the response's bytes."""
        return self.call.record.body_kind == "chunks"

    def add(self, item: Any) -> None:
        """Record an item. Never raises."""
        self._chunks.append(item)
        self._chunk_times.append(perf_counter())

    def on_read_start(self) -> int:
        """Take note that a loop or a single read begins, and return its number."""
        self.is_left = False
        self._iteration += 1
        return self._iteration

    def on_loop_exit(self, iteration: int) -> None:
        """Take note that a loop was left, unless another has begun since.

        An event loop closes the generator of such a loop later.
        """
        if iteration == self._iteration:
            self.is_left = True

    def on_error(self, exc: BaseException) -> None:
        """End with an error that is on its way to the caller. Never raises."""
        call = self.call
        if not call.is_submitted:
            self._freeze()
            call.record.stream_status = (
                "cancelled" if _is_cancellation(exc) else "failed"
            )
            call.on_error(exc)

    def finish(self, status: str | None = None) -> None:
        """End, once; ``status`` says how, if not by itself. Never raises."""
        call = self.call
        if not call.is_submitted:
            self._freeze()
            record = call.record
            record.stream_status = status
            times = record.chunk_times
            record.ended = times[-1] if times else perf_counter()
            call.submit()

    def _freeze(self) -> None:
        """Stop recording: the worker is about to read the record."""
        record = self.call.record
        record.chunks = record.chunks.copy()
        record.chunk_times = record.chunk_times.copy()
        record.chunks_consumed = self.chunks_consumed if self.is_counted else None

    def __del__(self) -> None:
        _active_streams.pop(id(self), None)
        if hasattr(self, "_iteration"):  # Or else it was never initialised.
            self.finish("closed_early" if self.is_left else "abandoned")


def track_iteration(items: Iterable[Any], state: StreamState) -> Iterator[Any]:
    """Yield items, each before the next is read, and note how that ends."""
    iteration, records_items = state.on_read_start(), state.records_items
    state.is_reading = True
    try:
        for item in items:
            state.is_reading = False
            state.chunks_consumed += 1
            if records_items:
                state.add(item)
            yield item
            state.is_reading = True
    except GeneratorExit:
        state.on_loop_exit(iteration)
        raise
    except BaseException as exc:
        _on_exception(state, iteration, exc)
        raise
    state.finish()


async def track_async_iteration(
    items: AsyncIterable[Any], state: StreamState
) -> AsyncIterator[Any]:
    """Yield items, as `track_iteration` does."""
    iteration, records_items = state.on_read_start(), state.records_items
    state.is_reading = True
    try:
        async for item in items:
            state.is_reading = False
            state.chunks_consumed += 1
            if records_items:
                state.add(item)
            yield item
            state.is_reading = True
    except GeneratorExit:
        state.on_loop_exit(iteration)
        raise
    except BaseException as exc:
        _on_exception(state, iteration, exc)
        raise
    state.finish()


def _on_exception(state: StreamState, iteration: int, exc: BaseException) -> None:
    """End with an error; what is thrown in between two reads only ends the loop.

    Callers throw their own through ``yield from``, and an event loop that ends cancels
    what would close the generator of a loop that was left.
    """
    if state.is_reading:
        state.on_error(exc)
    else:
        state.on_loop_exit(iteration)


def _is_cancellation(exc: BaseException) -> bool:
    """Return whether an exception says that its task was cancelled. Never raises."""
    try:
        return type(exc).__name__ in _CANCELLED
    except Exception:  # A class of the caller may refuse to tell its name.
        return False


def _detach_after_fork() -> None:
    """Leave the answers under way to the parent, in a forked child."""
    for found in list(_active_streams.values()):
        state = found()
        if state is not None:
            state.call.is_submitted = True
    _active_streams.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_detach_after_fork)


def active_streams() -> list[StreamState]:
    """Return the answers under way."""
    found = [reference() for reference in list(_active_streams.values())]
    return [state for state in found if state is not None]


def finalize_streams(*, everything: bool = False) -> None:
    """Finish the streams whose loops were left or, with ``everything``, all."""
    for state in active_streams():
        if everything:
            state.finish("abandoned")
        elif state.is_left:
            state.finish("closed_early")
