"""Server-sent events: the frames of a stream, its pace, and how it may fail."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

import anyio
from attrs import frozen

from ._answers import compact, encode

DONE = b"data: [DONE]\n\n"

#: Seconds between two chunks for the model name that asks for a slow stream.
SLOW = 0.05


class ConnectionCutError(Exception):
    """Ends a response in the middle, as a broken connection does."""


@frozen
class Pace:
    """How a stream is sent.

    Attributes:
        pause: Seconds between two frames.
        broken: Whether the stream stops half-way, with an error said in it.
        cut: Whether the connection breaks half-way.
    """

    pause: float = 0.0
    broken: bool = False
    cut: bool = False

    @classmethod
    def of(cls, model: str, pause: float) -> "Pace":
        """Return the pace that a model's name orders, ``pause`` being the usual one."""
        return cls(
            pause=SLOW if model == "offline-slow" else pause,
            broken=model == "offline-stream-error",
            cut=model == "offline-stream-cut",
        )


def frame(data: dict[str, Any], event: str | None = None) -> bytes:
    """Return one server-sent event, named if ``event`` is given."""
    name = f"event: {event}\n" if event else ""
    return encode(f"{name}data: {compact(data)}\n\n")


async def send(
    frames: Sequence[bytes], ending: bytes, pace: Pace
) -> AsyncIterator[bytes]:
    """Yield the frames of a stream.

    Args:
        frames: All of them, but for how the stream ends.
        ending: The last one, when the stream is broken or when it is whole.
        pace: How fast, and whether it breaks.

    Raises:
        ConnectionCutError: Half-way, if the pace says so.
    """
    breaks = pace.broken or pace.cut
    for at, one in enumerate(frames[: len(frames) // 2] if breaks else frames):
        if at and pace.pause:
            await anyio.sleep(pace.pause)
        yield one
    if pace.cut:
        raise ConnectionCutError
    if ending:
        yield ending
