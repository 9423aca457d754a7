"""The exporter protocol, the records that an exporter is given, and its error."""

from collections.abc import Mapping, Sequence
from functools import partial
from inspect import isasyncgenfunction, iscoroutinefunction, isroutine
from typing import Any, Protocol, runtime_checkable

from attrs import field, frozen


@frozen
class ExportRecord:
    """One finished event, feedback or chain result, after redaction and hooks.

    Attributes:
        kind: ``"event"`` for a call, ``"feedback"`` or ``"chain"``.
        id: The event's id, the feedback's key, or the chain's id.
        body: What Libretto is sent, without ``apiKey`` and ``projectKey``. Each record
            has a body of its own, so an exporter may change it.
        timestamp: When the call ended, or the feedback or result was submitted, in
            seconds since the epoch.
    """

    kind: str
    id: str
    body: Mapping[str, Any] = field(repr=False)
    timestamp: float


class ExportError(Exception):
    """Raised by an exporter that could not export its records.

    The message goes into the log and into `stats()`, so it should quote no record.

    Attributes:
        retry: Whether to try again; if not, the records are dropped and counted.
        retry_after: Minimum delay before the next attempt, in seconds; None leaves it
            to the delivery's back-off.
    """

    def __init__(
        self,
        message: str = "",
        *,
        retry: bool = True,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.retry = retry
        self.retry_after = retry_after


@runtime_checkable
class Exporter(Protocol):
    """Sends finished records to another place.

    Its methods are called on background threads, one call at a time. They are plain
    methods; coroutines are refused. The optional attribute ``max_batch`` is the maximum
    number of records per call; without it, each call gets one. After a fork the child
    uses the same exporter, so its connections and locks must survive that.
    """

    @property
    def name(self) -> str:
        """Identifies the exporter in `stats()` and in the spool."""
        ...

    def export(self, records: Sequence[ExportRecord]) -> None:
        """Export all of the records, or none.

        A record may come again after an exception, or after a process was killed.

        Args:
            records: At least one record, in the order of each chat and chain.

        Raises:
            ExportError: None was exported; with ``retry=False`` none will be.
            Exception: Any other counts as ``ExportError(retry=True)``.
        """
        ...

    def close(self) -> None:
        """Close files and connections. A later ``export`` opens them again."""
        ...


def validate_exporters(exporters: Sequence[Any]) -> None:
    """Check the exporters of one configuration.

    Raises:
        TypeError: One lacks a method, has a method that is a coroutine function, or a
            name that is not a string.
        ValueError: Two have the same name, or a name or ``max_batch`` is invalid.
    """
    names: set[str] = set()
    for exporter in exporters:
        kind = type(exporter).__name__
        for method in ("export", "close"):
            _validate_method(kind, method, getattr(exporter, method, None))
        name = getattr(exporter, "name", None)
        if not isinstance(name, str):
            raise TypeError(
                f"exporters: the name of {kind} must be a string, not "
                f"{type(name).__name__}."
            )
        # The spool keeps names one a line.
        if not name.isprintable() or not name.strip():
            raise ValueError(
                f"exporters: {kind} needs a name of printable characters, not {name!r}."
            )
        if name == "libretto":
            raise ValueError(
                "exporters: the name 'libretto' is reserved for Libretto; use another."
            )
        if name in names:
            raise ValueError(
                f"exporters: two of them have the name {name!r}; give each its own."
            )
        names.add(name)
        batch = getattr(exporter, "max_batch", 1)
        if isinstance(batch, bool) or not isinstance(batch, int) or batch < 1:
            raise ValueError(
                f"exporters: max_batch of {name!r} must be a number of at least 1, "
                f"not {batch!r}."
            )


def _validate_method(kind: str, name: str, method: Any) -> None:
    if not callable(method):
        raise TypeError(
            f"exporters: {kind} has no method {name}(); see "
            "libretto_instrument.exporters.Exporter for what it needs."
        )
    if is_async(method):
        raise TypeError(
            f"exporters: {kind}.{name}() is a coroutine function, which no thread of "
            "the delivery would await. Make it a plain method; asyncio.run() inside "
            "may call async code."
        )


def is_async(function: Any) -> bool:
    """Return whether a call of ``function`` returns a coroutine or async generator."""
    while isinstance(function, partial):
        function = function.func
    if not isroutine(function) and callable(function):
        function = type(function).__call__
    return iscoroutinefunction(function) or isasyncgenfunction(function)
