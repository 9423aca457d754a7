"""What servers that fork are tried with: a model, a Libretto, and an account."""

import os
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from support.backend import Backend

_HERE = Path(__file__).parent


def environment(backend: Backend, **more: str) -> dict[str, str]:
    """Return a server's variables: it finds the applications and reports to a backend.

    The model's address is in the environment already.
    """
    path = os.pathsep.join([str(_HERE), str(_HERE.parents[1])])
    return {
        **os.environ,
        "PYTHONPATH": path,
        "LIBRETTO_API_PREFIX": backend.url,
        **more,
    }


def each_once(backend: Backend, identities: Iterable[str]) -> None:
    """Hold that these events and no others arrive, each exactly once."""
    expected = Counter(identities)
    backend.wait_for(expected.total(), timeout=30)
    assert Counter(event["promptEventId"] for event in backend.events) == expected
