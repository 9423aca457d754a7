"""Fixtures of the spool's tests."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from libretto_instrument._spool import Spool


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Return where the spool is; it does not exist yet."""
    return tmp_path / "spool"


@pytest.fixture
def open_spool(directory: Path) -> Iterator[Callable[..., Spool]]:
    """Open spools in the directory, as several processes would."""
    opened: list[Spool] = []

    def open_one(**options: Any) -> Spool:
        opened.append(Spool(directory, **options))
        return opened[-1]

    yield open_one
    for spool in opened:
        spool.close()
