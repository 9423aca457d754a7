"""Whether what a program gives as its exporters can be used."""

from collections.abc import Sequence
from typing import Any


def check_exporters(exporters: Sequence[Any]) -> None:
    """Refuse what can be no exporters of one configuration.

    Raises:
        TypeError: One lacks a method, or its name is no string.
        ValueError: Two have one name, or a name or a ``max_batch`` makes no sense.
    """
    names: set[str] = set()
    for exporter in exporters:
        kind = type(exporter).__name__
        for method in ("export", "close"):
            if not callable(getattr(exporter, method, None)):
                raise TypeError(
                    f"exporters: {kind} has no method {method}(); see "
                    "libretto_instrument.exporters.Exporter for what it needs."
                )
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
                "exporters: the name 'libretto' is Libretto's own; give another."
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
