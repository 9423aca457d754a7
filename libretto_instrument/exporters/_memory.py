"""An exporter for tests."""

from collections.abc import Sequence

from attrs import define, field

from ._protocol import Report


@define(eq=False)
class MemoryExporter:
    """Keeps what it is given.

    Attributes:
        name: Tells it from other exporters.
        max_batch: It takes so many reports at once.
        reports: Everything it was given, the oldest first.
        closed: Whether it was closed.
    """

    name: str = "memory"
    max_batch: int = 100
    reports: list[Report] = field(factory=list, repr=False)
    closed: bool = False

    def export(self, reports: Sequence[Report]) -> None:
        """Keep the reports."""
        self.reports.extend(reports)

    def close(self) -> None:
        """Note that nothing more is to come."""
        self.closed = True
