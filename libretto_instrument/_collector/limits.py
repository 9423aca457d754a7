"""Limits of connections, wrong secrets and log lines."""

import asyncio
import logging
import time
from typing import Any

from attrs import define, field
from starlette.types import Scope
from uvicorn.protocols.http.auto import AutoHTTPProtocol

#: Connections that are open at once. Beyond, the one that did nothing for longest goes.
MAX_CONNECTIONS = 256
#: Seconds that a request may take to arrive, and a reader may stop reading.
REQUEST_TIMEOUT, STALLED_TIMEOUT = 30.0, 60.0
#: Bytes of a request's headers; and of all of it, however it is cut into chunks.
MAX_HEADER_BYTES = 64 * 2**10
MAX_REQUEST_BYTES = 24 * 2**20
#: Wrong secrets of one address in a minute.
MAX_FAILURES = 10
#: Log lines of one logger in a minute.
MAX_LOG_LINES = 20

_MINUTE = 60.0
_MAX_ADDRESSES = 1_000


@define(eq=False)
class Connections:
    """The open connections, the one without a new request for longest first."""

    maximum: int = MAX_CONNECTIONS
    _open: "dict[BoundedProtocol, None]" = field(factory=dict, init=False)

    def add(self, connection: "BoundedProtocol") -> None:
        """Add a connection; close another one if there are too many."""
        if len(self._open) >= self.maximum:
            idle = (each for each in self._open if not each.is_answering())
            oldest = next(idle, None) or next(iter(self._open))
            self.discard(oldest)
            oldest.abort()
        self.touch(connection)

    def touch(self, connection: "BoundedProtocol") -> None:
        """Take note of a new request."""
        self._open.pop(connection, None)
        self._open[connection] = None
        connection.active_at = time.monotonic()

    def discard(self, connection: "BoundedProtocol") -> None:
        """Forget a connection that is closed."""
        self._open.pop(connection, None)

    async def close_idle(self) -> None:
        """Close stalled connections, until cancelled."""
        while True:
            await asyncio.sleep(1)
            now = time.monotonic()
            for connection in list(self._open):
                if connection.is_stalled(now):
                    connection.abort()
                elif now - connection.active_at <= REQUEST_TIMEOUT:
                    continue
                elif connection.is_answering():
                    self.touch(connection)
                else:
                    connection.abort()


class BoundedProtocol(asyncio.Protocol):
    """One connection of uvicorn's, with limits of bytes and time.

    uvicorn itself has no time-out for the rest of a request, and with httptools no
    limit for headers.
    """

    def __init__(self, connections: Connections, **options: Any) -> None:
        self._inner: Any = AutoHTTPProtocol(**options)
        self._connections = connections
        self._received = 0
        self._paused_at: float | None = None
        self.active_at = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._connections.add(self)
        self._inner.connection_made(transport)

    def data_received(self, data: bytes) -> None:
        """Hand data on, unless a request is too large."""
        cycle, was_body = self._inner.cycle, self._has_more_body()
        self._received += len(data)
        self._inner.data_received(data)
        is_body = self._has_more_body()
        if self._inner.cycle is not cycle:
            self._connections.touch(self)
        if self._inner.cycle is not cycle or (was_body and not is_body):
            self._received = 0
        if self._received > (MAX_REQUEST_BYTES if is_body else MAX_HEADER_BYTES):
            self.abort()

    def eof_received(self) -> bool | None:
        """Hand on that the client sends no more."""
        result: bool | None = self._inner.eof_received()
        return result

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self._connections.discard(self)
        self._inner.connection_lost(exc)

    def pause_writing(self) -> None:
        """Take note that the client does not read."""
        self._paused_at = time.monotonic()
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        """Take note that the client reads again."""
        self._paused_at = None
        self._inner.resume_writing()

    def _has_more_body(self) -> bool:
        return self._inner.cycle is not None and bool(self._inner.cycle.more_body)

    def is_answering(self) -> bool:
        """Return whether a request is complete and its response is not."""
        cycle = self._inner.cycle
        return cycle is not None and not (cycle.more_body or cycle.response_complete)

    def is_stalled(self, now: float) -> bool:
        """Return whether the client has stopped reading."""
        return self._paused_at is not None and now - self._paused_at > STALLED_TIMEOUT

    def abort(self) -> None:
        """Close the connection at once."""
        if self._inner.transport is not None:
            self._inner.transport.abort()


@define
class FailureLimit:
    """Counts the wrong secrets of each address, a minute at a time."""

    _began: float = field(factory=time.monotonic, init=False)
    _failures: dict[str, int] = field(factory=dict, init=False)

    def add(self, scope: Scope) -> None:
        """Count a wrong secret."""
        address = _address(scope)
        if len(self._failures) < _MAX_ADDRESSES or address in self._failures:
            self._failures[address] = self._failures.get(address, 0) + 1

    def is_reached(self, scope: Scope) -> bool:
        """Return whether an address has given too many wrong secrets."""
        if time.monotonic() - self._began > _MINUTE:
            self._began = time.monotonic()
            self._failures.clear()
        return self._failures.get(_address(scope), 0) > MAX_FAILURES


class LogLimit(logging.Filter):
    """Drops log lines beyond ``MAX_LOG_LINES`` a minute: they would fill the disk."""

    def __init__(self) -> None:
        super().__init__()
        self._began, self._lines = time.monotonic(), 0

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether to log a line."""
        if time.monotonic() - self._began > _MINUTE:
            self._began, self._lines = time.monotonic(), 0
        self._lines += 1
        return self._lines <= MAX_LOG_LINES


def _address(scope: Scope) -> str:
    return str((scope.get("client") or ("",))[0])
