"""Fixtures of the delivery's tests."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from support.parcels import prepare

from libretto_instrument.delivery import Delivery, Sender


@pytest.fixture
def deliver() -> Iterator[Callable[..., Delivery]]:
    """Make deliveries that end with the test."""
    made: list[Delivery] = []

    def make(sender: Sender, **options: Any) -> Delivery:
        options.setdefault("prepare", prepare)
        made.append(Delivery(sender=sender, **options))
        return made[-1]

    yield make
    for delivery in made:
        delivery.shutdown(timeout=0)
