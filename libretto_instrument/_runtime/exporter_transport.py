"""Users' exporters as the delivery sees them: senders that never raise."""

import threading
from collections.abc import Sequence
from threading import TIMEOUT_MAX
from time import time
from typing import TYPE_CHECKING

from .._config.scope import SUPPRESS_RECORDING
from .._util import errors
from .._util.json import decode
from ..delivery import Message, Outcome, reset_after_fork
from ..exporters import ExportError, Report

if TYPE_CHECKING:
    from ..exporters import Exporter

#: How long an exporter may take to close before it is left to itself, in seconds.
CLOSING = 1.0
_DELIVERED = Outcome(delivered=True)
_BUSY = Outcome(delivered=False, retry=True, error="busy")


class ExporterSender:
    """Gives messages to an exporter, as reports, from one thread at a time.

    Attributes:
        exporter: The exporter.
        max_batch: It takes so many reports at once.
    """

    def __init__(self, exporter: "Exporter") -> None:
        self.exporter = exporter
        self.max_batch: int = getattr(exporter, "max_batch", 1)
        self._name = exporter.name
        self._start_afresh()
        reset_after_fork(self)

    def _start_afresh(self) -> None:
        # After a fork, too: the thread that held it is not here to release it.
        self._exporting = threading.Lock()

    after_fork_in_child = _start_afresh

    def send(self, message: Message, timeout: float | None = None) -> Outcome:
        """Give it one message; see ``send_batch``."""
        return self.send_batch([message], timeout)[0]

    def send_batch(
        self, messages: Sequence[Message], timeout: float | None = None
    ) -> Sequence[Outcome]:
        """Give it messages, once.

        A batch that it refuses is given to it again in single messages, so that one
        that it can't take does no harm to the others.

        Args:
            messages: What to export.
            timeout: How long to wait, in seconds, while it is busy with others. What it
                does itself can't be cut short.
        """
        patience = TIMEOUT_MAX if timeout is None else max(0.0, timeout)
        lock = self._exporting
        if not lock.acquire(timeout=min(patience, TIMEOUT_MAX)):
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
            reports = [_report(message) for message in messages]
        except (ValueError, RecursionError) as exc:
            return Outcome(delivered=False, error=type(exc).__name__)
        try:
            with SUPPRESS_RECORDING:
                self.exporter.export(reports)
        except ExportError as exc:
            error = str(exc) or type(exc).__name__
            self._warn(
                "does not take reports" if exc.retry else "refuses a report", error
            )
            return Outcome(
                delivered=False,
                retry=bool(exc.retry),
                error=error,
                retry_after=_seconds(exc.after),
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
        done, lock = threading.Event(), self._exporting

        def close() -> None:
            try:
                if lock.acquire(timeout=CLOSING):
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
        done.wait(CLOSING)


def _report(message: Message) -> Report:
    body = decode(message.body)
    if isinstance(body, dict):
        body.pop("apiKey", None)
        body.pop("projectKey", None)
    return Report(
        kind=message.kind,
        id=message.id,
        body=body,
        at=time() if message.at is None else message.at,
    )


def _seconds(after: object) -> float | None:
    """Return what an exporter says in how many seconds to try again, if it is any."""
    if isinstance(after, int | float) and 0 <= after < TIMEOUT_MAX:
        return float(after)
    return None
