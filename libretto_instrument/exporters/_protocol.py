"""What an exporter is given, what it says when it could not, and what it must be."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from attrs import field, frozen


@frozen
class Report:
    """A finished report: redacted, capped, and seen by ``before_send``.

    Attributes:
        kind: ``"event"`` for a call, ``"feedback"`` or ``"chain"``.
        id: The event's id, or the feedback's key, or the chain's id.
        body: What Libretto is sent, without ``apiKey`` and ``projectKey``. It is shared
            with nobody, so it may be changed.
        at: When the call ended, or the feedback or result was given, in seconds since
            the epoch.
    """

    kind: str
    id: str
    body: Mapping[str, Any] = field(repr=False)
    at: float


class ExportError(Exception):
    """An export that did not succeed, and whether it is worth trying again.

    Its message goes into the log and into `stats()`, so it should quote no report.

    Attributes:
        retry: Whether to try again; if not, the reports are dropped and counted.
        after: In how many seconds at the soonest; None leaves it to the delivery.
    """

    def __init__(
        self, message: str = "", *, retry: bool = True, after: float | None = None
    ) -> None:
        super().__init__(message)
        self.retry = retry
        self.after = after


@runtime_checkable
class Exporter(Protocol):
    """Takes finished reports to some other place.

    Its methods are called on background threads of the delivery, by one at a time. It
    may have an attribute ``max_batch``: it is then given up to so many reports at once,
    and one at a time otherwise. After a fork the child goes on with the same exporter,
    so connections and locks of its own must bear that.
    """

    @property
    def name(self) -> str:
        """Tells it from the other exporters, in `stats()` and in the spool."""
        ...

    def export(self, reports: Sequence[Report]) -> None:
        """Take all of the reports, or none.

        It may be given a report again after an exception, or after a process was
        killed.

        Args:
            reports: The reports, at least one, in the order of each chat and chain.

        Raises:
            ExportError: They were not taken; with ``retry=False`` they never will be.
            Exception: Any other counts as ``ExportError(retry=True)``.
        """
        ...

    def close(self) -> None:
        """Let go of files and connections. A later ``export`` opens them again."""
        ...
