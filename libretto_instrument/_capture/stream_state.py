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
#: other threads add to it, and a plain one, as each stream waits for its entry.
_open: "dict[int, weakref.ref[Recording]]" = {}


class Recording:
    """The pieces of one answer so far.

    Attributes:
        call: The call that is answered.
        taken: How many items the caller took.
        reading: Inside a read: a response closes by itself then, and that is no early
            end.
        left: The last loop over the answer was left.
    """

    __slots__ = ("__weakref__", "_turns", "call", "left", "reading", "taken")

    def __init__(self, call: Call) -> None:
        self.call = call
        self.taken = 0
        self.reading = False
        self.left = False
        self._turns = 0
        _open[id(self)] = weakref.ref(self)

    def read_on(self) -> int:
        """Take note that somebody reads, and return which turn at reading this is."""
        self.left = False
        self._turns += 1
        return self._turns

    def leave(self, turn: int) -> None:
        """Take note that a loop was left, unless another has begun since.

        An event loop closes the generator of a left loop later, in a turn of its own.
        """
        if turn == self._turns:
            self.left = True

    def failed(self, exc: BaseException) -> None:
        """End with an error that is on its way to the caller. Never raises."""
        call = self.call
        if not call.submitted:
            self._keep_no_more()
            cancelled = type(exc).__name__ in _CANCELLED
            call.status = "cancelled" if cancelled else "failed"
            call.failed(exc)

    def end(self, status: str | None = None) -> None:
        """End, once; ``status`` says how, if not by itself. Never raises."""
        call = self.call
        if not call.submitted:
            self._keep_no_more()
            call.status = status
            call.ended = call.stamps[-1] if call.stamps else perf_counter()
            call.submit()

    def closed(self) -> None:
        """Take note that the HTTP response was closed."""
        if not self.reading:
            self.end("closed_early")

    def _keep_no_more(self) -> None:
        """Let the rest of an answer pass: its record is about to be read elsewhere."""
        call = self.call
        call.pieces = call.pieces.copy()
        call.stamps = call.stamps.copy()
        if call.taken is not None:
            call.taken = self.taken

    def __del__(self) -> None:
        _open.pop(id(self), None)
        if hasattr(self, "_turns"):  # Or else it never began.
            self.end("closed_early" if self.left else "abandoned")


def keep(pieces: Iterable[Any], kept: list[Any], stamps: list[float]) -> Iterator[Any]:
    """Yield ``pieces``; keep each of them, and when it came.

    Without the recording: openai's stream holds itself, and this, in a cycle, and a
    stream that is dropped is to be told of before the garbage collector comes by.
    """
    add, stamp = kept.append, stamps.append
    for piece in pieces:
        add(piece)
        stamp(perf_counter())
        yield piece


async def keep_async(
    pieces: AsyncIterable[Any], kept: list[Any], stamps: list[float]
) -> AsyncIterator[Any]:
    """Yield ``pieces``, as `keep` does."""
    add, stamp = kept.append, stamps.append
    async for piece in pieces:
        add(piece)
        stamp(perf_counter())
        yield piece


def follow(items: Iterable[Any], recording: Recording) -> Iterator[Any]:
    """Yield ``items``, each before the next is read, and see how that ends."""
    turn = recording.read_on()
    recording.reading = True
    try:
        for item in items:
            recording.reading = False
            recording.taken += 1
            yield item
            recording.reading = True
    except GeneratorExit:
        recording.leave(turn)
        raise
    except BaseException as exc:
        recording.failed(exc)
        raise
    recording.end()


async def follow_async(
    items: AsyncIterable[Any], recording: Recording
) -> AsyncIterator[Any]:
    """Yield ``items``, each before the next is read, and see how that ends."""
    turn = recording.read_on()
    recording.reading = True
    try:
        async for item in items:
            recording.reading = False
            recording.taken += 1
            yield item
            recording.reading = True
    except GeneratorExit:
        recording.leave(turn)
        raise
    except BaseException as exc:
        recording.failed(exc)
        raise
    recording.end()


def _forget_all() -> None:
    """Leave the answers under way to the parent, in a forked child."""
    for found in list(_open.values()):
        recording = found()
        if recording is not None:
            recording.call.submitted = True
    _open.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_all)


def settle(*, everything: bool = False) -> None:
    """End the answers whose loops were left, or all of them: nobody reads them on."""
    for recording in [found() for found in list(_open.values())]:
        if recording is None:
            continue
        if everything:
            recording.end("abandoned")
        elif recording.left:
            recording.end("closed_early")
