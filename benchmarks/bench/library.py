"""A library that is measured, as these benchmarks see it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

#: The API key, wherever one is needed.
KEY = "bench"


def _same(client: Any) -> Any:
    return client


def nothing() -> None:
    pass


@dataclass(frozen=True)
class Switched:
    """A library that is switched on.

    Attributes:
        flush: Waits until what was recorded is delivered.
        wrap: Makes the recorded client of a bare one, where that is the library's way.
        finish: Waits until the sink has everything, for the last time.
    """

    flush: Callable[[], object] = nothing
    wrap: Callable[[Any], Any] = _same
    finish: Callable[[], object] = nothing


@dataclass(frozen=True)
class Library:
    """A library that records calls of openai.

    Attributes:
        requires: What is installed for it, besides openai; nothing for openai alone.
        switch_on: Switches it on, given the sink's address and a case's mode.
        posts: Whether it sends to the sink; if not, it writes to a file.
    """

    requires: tuple[str, ...]
    switch_on: Callable[[str, str], Switched]
    posts: bool = True
