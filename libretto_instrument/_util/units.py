"""Durations and sizes with a unit, such as ``30d`` and ``2GB``."""

import re

__all__ = ["parse_duration", "parse_size"]

_DURATION = re.compile(r"(\d{1,6})([smhdw])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_SIZE = re.compile(r"(\d{1,6})([KMGT])B?", re.IGNORECASE)


def parse_duration(text: str) -> int:
    """Return ``90s``, ``15m``, ``24h``, ``30d`` or ``2w`` in seconds.

    Raises:
        ValueError: The text has none of these forms.
    """
    if match := _DURATION.fullmatch(text.strip()):
        return int(match[1]) * _SECONDS[match[2]]
    raise ValueError(f"invalid duration {text[:50]!r}: write it like 24h or 30d.")


def parse_size(text: str) -> int:
    """Return ``500MB`` or ``2GB`` in bytes.

    Raises:
        ValueError: The text has neither form.
    """
    if match := _SIZE.fullmatch(text.strip()):
        return int(match[1]) << 10 * ("KMGT".index(match[2].upper()) + 1)
    raise ValueError(f"invalid size {text[:50]!r}: write it like 500MB or 2GB.")
