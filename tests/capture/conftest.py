"""What the tests of capture share: a scripted model, its clients, a plain recorder."""

from collections.abc import Iterator

import pytest
from support.kept import Kept

from libretto_instrument import _capture


@pytest.fixture
def kept() -> Iterator[Kept]:
    """Yield the finished calls of every client, each kept when it is handed over."""
    recorder = Kept()
    _capture.patch(recorder)
    yield recorder
    _capture.unpatch()
