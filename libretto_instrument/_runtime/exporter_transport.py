"""The transport that gives messages to a user's exporter."""

import inspect
import threading
from collections.abc import Callable, Sequence
from threading import TIMEOUT_MAX
from time import time
from typing import TYPE_CHECKING

from .._delivery import Message, Outcome
from .._processing.suppression import suppress_recording
from .._util import errors
from .._util.json import decode
from ..exporters import ExportError, ExportRecord

if TYPE_CHECKING:
    from ..exporters import Exporter

#: How long an exporter may take to close before it is left to itself, in seconds.
CLOSE_TIMEOUT = 1.0
_DELIVERED = Outcome(delivered=True)
_BUSY = Outcome(delivered=False, retry=True, error="busy")


class ExporterTransport:
    """Gives messages to an exporter, as reports, from one thread at a time.

    Attributes:
        exporter: The exporter.
        max_batch: At most this many reports are given to it at once.
        max_concurrency: 1.
    """

    max_concurrency = 1

    def __init__(self, exporter: "Exporter") -> None:
        self.exporter = exporter
        self.max_batch: int = getattr(exporter, "max_batch", 1)
        self._name = exporter.name
        self.reset()

    def reset(self) -> None:
        """Forget, in a forked child, a lock that another thread may have held."""
        self._lock = threading.Lock()

    def send(
        self, messages: Sequence[Message], timeout: float | None = None
    ) -> Sequence[Outcome]:
        """Give it messages, once.

        A batch that it refuses is given to it again in single messages, so that one
        that it can't take does no harm to the others.

        Args:
            messages: What to export.
            timeout: Seconds to wait while another pipeline uses it. What it does itself
                can't be cut short.
        """
        seconds = TIMEOUT_MAX if timeout is None else max(0.0, timeout)
        lock = self._lock
        if not lock.acquire(True, min(seconds, TIMEOUT_MAX)):
            return [_BUSY] * len(messages)
        try:
            outcome = self._export(messages)
            if outcome.delivered or outcome.retry or len(messages) == 1:
                return [outcome] * len(messages)
            return [self._export([message]) for message in messages]
        finally:
            lock.release()

    def _export(self, messages: Sequence[Message]) -> Outcome:
        try:
            reports = [_to_record(message) for message in messages]
        except (ValueError, RecursionError) as exc:
            return Outcome(delivered=False, error=type(exc).__name__)
        try:
            export: Callable[..., object] = self.exporter.export
            with suppress_recording():
                result = export(reports)
            if inspect.isawaitable(result):
                if inspect.iscoroutine(result):
                    result.close()  # Or Python warns that it was never awaited.
                raise ExportError(
                    "its export() is async, but is called as a plain method",
                    retry=False,
                )
        except ExportError as exc:
            error = str(exc) or type(exc).__name__
            self._warn(
                "does not take reports" if exc.retry else "refuses a report", error
            )
            return Outcome(
                delivered=False,
                retry=bool(exc.retry),
                error=error,
                retry_after=_seconds(exc.retry_after),
            )
        except (Exception, SystemExit) as exc:
            # Not its message, which may repeat what it was given.
            error = type(exc).__name__
            self._warn("failed", error)
            return Outcome(delivered=False, retry=True, error=error)
        return _DELIVERED

    def _warn(self, what: str, error: str) -> None:
        errors.warn(
            f"exporter:{self._name}",
            "The exporter %s %s (%s).",
            self._name,
            what,
            error,
        )

    def close(self) -> None:
        """Have it let go of files and connections, unless it is busy or too slow."""
        done, lock = threading.Event(), self._lock

        def close() -> None:
            try:
                if lock.acquire(timeout=CLOSE_TIMEOUT):
                    try:
                        self.exporter.close()
                    finally:
                        lock.release()
            except (Exception, SystemExit) as exc:
                self._warn("failed to close", type(exc).__name__)
            finally:
                done.set()

        try:
            # What it does can't be cut short, so it is waited for from outside.
            threading.Thread(target=close, name="libretto-close", daemon=True).start()
        except RuntimeError:
            return  # The process ends, and closes everything itself.
        done.wait(CLOSE_TIMEOUT)


def _to_record(message: Message) -> ExportRecord:
    body = decode(message.body)
    if isinstance(body, dict):
        body.pop("apiKey", None)
        body.pop("projectKey", None)
    return ExportRecord(
        kind=message.kind,
        id=message.id,
        body=body,
        timestamp=time() if message.timestamp is None else message.timestamp,
    )


def _seconds(after: object) -> float | None:
    """Return what an exporter says in how many seconds to try again, if it is any."""
    if isinstance(after, int | float) and 0 <= after < TIMEOUT_MAX:
        return float(after)
    return None
