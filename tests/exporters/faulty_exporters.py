"""Exporters that do what exporters should not."""

import threading
from collections.abc import Callable, Sequence
from typing import Any

from libretto_instrument.exporters import ExportRecord


class Doing:
    """An exporter that does what it is told to with each batch.

    Attributes:
        name: Its name.
        max_batch: Maximum number of reports per call.
        given: The reports of all batches, those that were not taken included.
        sizes: How many there were in each batch.
        act: Called with each batch.
    """

    def __init__(
        self,
        act: Callable[[Sequence[ExportRecord]], Any] = lambda reports: None,
        name: str = "doing",
        max_batch: int = 1,
    ) -> None:
        self.name = name
        self.max_batch = max_batch
        self.act = act
        self.given: list[ExportRecord] = []
        self.sizes: list[int] = []
        self.closed = 0

    def export(self, reports: Sequence[ExportRecord]) -> Any:
        # Taken first: whoever sees the reports given may change what is done with the
        # next ones.
        act = self.act
        self.given.extend(reports)
        self.sizes.append(len(reports))
        return act(reports)

    def close(self) -> None:
        self.closed += 1


class Hanging(Doing):
    """An exporter that never comes back, until it is let go.

    Attributes:
        began: Set when it was given something.
        let_go: Set to let it come back.
    """

    def __init__(self, name: str = "hanging") -> None:
        super().__init__(self._hang, name)
        self.began = threading.Event()
        self.let_go = threading.Event()

    def _hang(self, reports: Sequence[ExportRecord]) -> None:
        self.began.set()
        self.let_go.wait(60)


def raising(exc: BaseException) -> Callable[[Sequence[ExportRecord]], None]:
    """Return what raises with each batch."""

    def act(reports: Sequence[ExportRecord]) -> None:
        raise exc

    return act
