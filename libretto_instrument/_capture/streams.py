"""Streams that report what came through them.

A recorded stream is a proxy of openai's own: same class to `isinstance`, same
attributes, each chunk handed over before the next is read. Kept is what the response
brings, before openai makes chunks of it: bytes cost less to keep than models do, and
no caller can change them. Reading them waits for the worker.
"""

from collections.abc import AsyncIterator, Iterator
from time import perf_counter
from types import TracebackType
from typing import Any

from .._util import errors
from . import feedback_keys
from .call import Call
from .proxies import Proxy, proxy_class
from .response_hooks import watch_bytes, watch_close
from .stream_state import Recording, follow, follow_async, keep, keep_async


class _Recorded(Proxy):
    """What the two kinds of recorded stream share."""

    __slots__ = ("_self_recording",)

    #: Whether its response is awaited.
    _self_waits: bool

    def __init__(self, stream: Any, call: Call) -> None:
        # Set as `Proxy` does, with fewer calls of functions.
        object.__setattr__(self, "__wrapped__", stream)
        # Another patcher may have made a plain generator of it, without a response.
        response = getattr(stream, "response", None)
        try:
            if _is_read_as_events(stream, response):
                call.begin_pieces("events")
                call.taken = 0
                watch_bytes(response, call, waits=self._self_waits)
        except Exception as exc:
            errors.swallow(exc, "capture.watch")
        if call.form is None:
            call.begin_pieces("chunks")
        # Last: once there is a recording, another thread's flush may end it.
        recording = Recording(call)
        object.__setattr__(self, "_self_recording", recording)
        try:
            # `.stream()` helpers close the response past the stream.
            if response is not None:
                watch_close(response, recording, waits=self._self_waits)
        except Exception as exc:
            errors.swallow(exc, "capture.watch")
        feedback_keys.remember(self, call.feedback_key)


def _is_read_as_events(stream: Any, response: Any) -> bool:
    """Say whether openai will read ``stream`` from its response's bytes, as events."""
    decoder = type(getattr(stream, "_decoder", None))
    return decoder.__module__ == "openai._streaming" and hasattr(response, "iter_bytes")


class RecordedStream(_Recorded):
    """A proxy of an `openai.Stream`, or of what another patcher made of one."""

    __slots__ = ()

    _self_waits = False

    def __iter__(self) -> Iterator[Any]:
        chunks, recording = self.__wrapped__, self._self_recording
        call = recording.call
        if call.form == "chunks":
            chunks = keep(chunks, call.pieces, call.stamps)
        return follow(chunks, recording)

    def __next__(self) -> Any:
        recording = self._self_recording
        recording.read_on()
        recording.reading = True
        try:
            chunk = self.__wrapped__.__next__()
        except StopIteration:
            recording.end()
            raise
        except BaseException as exc:
            recording.failed(exc)
            raise
        recording.reading = False
        recording.taken += 1
        call = recording.call
        if call.form == "chunks":
            call.pieces.append(chunk)
            call.stamps.append(perf_counter())
        return chunk

    def __enter__(self) -> "RecordedStream":
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
            self._self_recording.end("closed_early")

    def close(self) -> Any:
        """Close the response, as the stream itself does."""
        try:
            return self.__wrapped__.close()
        finally:
            self._self_recording.end("closed_early")


class RecordedAsyncStream(_Recorded):
    """A proxy of an `openai.AsyncStream`, or of what another patcher made of one."""

    __slots__ = ()

    _self_waits = True

    def __aiter__(self) -> AsyncIterator[Any]:
        chunks, recording = self.__wrapped__, self._self_recording
        call = recording.call
        if call.form == "chunks":
            chunks = keep_async(chunks, call.pieces, call.stamps)
        return follow_async(chunks, recording)

    async def __anext__(self) -> Any:
        recording = self._self_recording
        recording.read_on()
        recording.reading = True
        try:
            chunk = await self.__wrapped__.__anext__()
        except StopAsyncIteration:
            recording.end()
            raise
        except BaseException as exc:
            recording.failed(exc)
            raise
        recording.reading = False
        recording.taken += 1
        call = recording.call
        if call.form == "chunks":
            call.pieces.append(chunk)
            call.stamps.append(perf_counter())
        return chunk

    async def __aenter__(self) -> "RecordedAsyncStream":
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
            self._self_recording.end("closed_early")

    async def close(self) -> Any:
        """Close the response, as the stream itself does."""
        try:
            return await self.__wrapped__.close()
        finally:
            self._self_recording.end("closed_early")

    async def aclose(self) -> Any:
        """Close the response; the other name of `close` that openai 3 has."""
        try:
            return await self.__wrapped__.aclose()
        finally:
            self._self_recording.end("closed_early")


def recorded(call: Call, stream: Any, *, waits: bool) -> Any:
    """Return a proxy of ``stream`` that records ``call`` as it is read.

    Args:
        call: A call.
        stream: The stream that answers it.
        waits: Whether it is read by awaiting.
    """
    model = RecordedAsyncStream if waits else RecordedStream
    kind: type = type(stream)
    return proxy_class(model, kind)(stream, call)
