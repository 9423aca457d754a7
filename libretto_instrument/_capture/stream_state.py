"""What came through one answer that arrives in pieces, and whether it has ended.

An answer ends once: used up, failed, cancelled, closed, or forgotten. One whose loop
was left may be read on, so it stays open until it is closed, dropped, flushed, or the
program ends.
"""

import os
import weakref
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator
from time import perf_counter
from typing import Any

from .call import Call

_CANCELLED = frozenset(("CancelledError", "Cancelled"))

#: The answers under way, by identity. A dictionary, as its values can be listed while
#: other threads add to it, and a plain one, as each stream is_async for its entry.
_active_streams: "dict[int, weakref.ref[StreamState]]" = {}


class StreamState:
    """The pieces of one answer so far.

    Attributes:
        call: The call that is answered.
        taken: How many items the caller took.
        reading: Inside a read: a response closes by itself then, and that is no early
            end.
        is_left: The last loop over the answer was left.
    """

    __slots__ = (
        "__weakref__",
        "_iteration",
        "call",
        "chunks_consumed",
        "is_left",
        "reading",
    )

    def __init__(self, call: Call) -> None:
        self.call = call
        self.chunks_consumed = 0
        self.reading = False
        self.is_left = False
        self._iteration = 0
        _active_streams[id(self)] = weakref.ref(self)

    def on_read_start(self) -> int:
        """Take note that somebody reads, and return which turn at reading this is."""
        self.is_left = False
        self._iteration += 1
        return self._iteration

    def on_loop_exit(self, turn: int) -> None:
        """Take note that a loop was left, unless another has begun since.

        An event loop closes the generator of such a loop later, in a turn of its own.
        """
        if turn == self._iteration:
            self.is_left = True

    def on_error(self, exc: BaseException) -> None:
        """End with an error that is on its way to the caller. Never raises."""
        call = self.call
        if not call.is_submitted:
            self._freeze()
            cancelled = type(exc).__name__ in _CANCELLED
            call.stream_status = "cancelled" if cancelled else "failed"
            call.on_error(exc)

    def finish(self, status: str | None = None) -> None:
        """End, once; ``status`` says how, if not by itself. Never raises."""
        call = self.call
        if not call.is_submitted:
            self._freeze()
            call.stream_status = status
            call.ended = call.chunk_times[-1] if call.chunk_times else perf_counter()
            call.submit()

    def on_response_closed(self) -> None:
        """Take note that the HTTP response was closed."""
        if not self.reading:
            self.finish("closed_early")

    def _freeze(self) -> None:
        """Let the rest of an answer pass: its record is about to be read elsewhere."""
        call = self.call
        call.chunks = call.chunks.copy()
        call.chunk_times = call.chunk_times.copy()
        if call.chunks_consumed is not None:
            call.chunks_consumed = self.chunks_consumed

    def __del__(self) -> None:
        _active_streams.pop(id(self), None)
        if hasattr(self, "_iteration"):  # Or else it never began.
            self.finish("closed_early" if self.is_left else "abandoned")


def tee(
    pieces: Iterable[Any], kept: list[Any], chunk_times: list[float]
) -> Iterator[Any]:
    """Yield ``pieces``; keep each of them, and when it came.

    Without the state: openai's stream holds itself, and this, in a cycle, and a
    stream that is dropped is to be told of before the garbage collector comes by.
    """
    add, stamp = kept.append, chunk_times.append
    for piece in pieces:
        add(piece)
        stamp(perf_counter())
        yield piece


async def tee_async(
    pieces: AsyncIterable[Any], kept: list[Any], chunk_times: list[float]
) -> AsyncIterator[Any]:
    """Yield ``pieces``, as `tee` does."""
    add, stamp = kept.append, chunk_times.append
    async for piece in pieces:
        add(piece)
        stamp(perf_counter())
        yield piece


def track_iteration(items: Iterable[Any], state: StreamState) -> Iterator[Any]:
    """Yield ``items``, each before the next is read, and see how that ends."""
    turn = state.on_read_start()
    state.reading = True
    try:
        for item in items:
            state.reading = False
            state.chunks_consumed += 1
            yield item
            state.reading = True
    except GeneratorExit:
        state.on_loop_exit(turn)
        raise
    except BaseException as exc:
        state.on_error(exc)
        raise
    state.finish()


async def track_async_iteration(
    items: AsyncIterable[Any], state: StreamState
) -> AsyncIterator[Any]:
    """Yield ``items``, each before the next is read, and see how that ends."""
    turn = state.on_read_start()
    state.reading = True
    try:
        async for item in items:
            state.reading = False
            state.chunks_consumed += 1
            yield item
            state.reading = True
    except GeneratorExit:
        state.on_loop_exit(turn)
        raise
    except BaseException as exc:
        state.on_error(exc)
        raise
    state.finish()


def _detach_after_fork() -> None:
    """Leave the answers under way to the parent, in a forked child."""
    for found in list(_active_streams.values()):
        state = found()
        if state is not None:
            state.call.is_submitted = True
    _active_streams.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_detach_after_fork)


def finalize_streams(*, everything: bool = False) -> None:
    """Finish the streams whose loops were left or, with ``everything``, all."""
    for state in [found() for found in list(_active_streams.values())]:
        if state is None:
            continue
        if everything:
            state.finish("abandoned")
        elif state.is_left:
            state.finish("closed_early")
