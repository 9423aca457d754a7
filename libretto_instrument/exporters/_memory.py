"""An exporter for tests."""

from collections.abc import Sequence

from attrs import define, field

from ._protocol import ExportRecord


@define(eq=False)
class MemoryExporter:
    """Keeps what it is given.

    Attributes:
        name: Tells it from other exporters.
        max_batch: Maximum number of records per call.
        records: Everything it was given, the oldest first.
        closed: Whether it was closed.
    """

    name: str = "memory"
    max_batch: int = 100
    records: list[ExportRecord] = field(factory=list, repr=False)
    closed: bool = False

    def export(self, records: Sequence[ExportRecord]) -> None:
        """Keep the records."""
        self.records.extend(records)

    def close(self) -> None:
        """Note that nothing more is to come."""
        self.closed = True
