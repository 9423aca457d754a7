"""Ages and sizes, as people write them."""

import re

__all__ = ["age", "size"]

_AGE = re.compile(r"(\d{1,6})([smhdw])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_SIZE = re.compile(r"(\d{1,6})([KMGT])B?", re.IGNORECASE)


def age(text: str) -> int:
    """Return ``90s``, ``15m``, ``24h``, ``30d`` or ``2w`` in seconds.

    Raises:
        ValueError: It is none of these.
    """
    if match := _AGE.fullmatch(text.strip()):
        return int(match[1]) * _SECONDS[match[2]]
    raise ValueError(f"{text[:50]!r} is no age; write it like 24h or 30d.")


def size(text: str) -> int:
    """Return ``500MB`` or ``2GB`` in bytes. Raises: ValueError, if it is neither."""
    if match := _SIZE.fullmatch(text.strip()):
        return int(match[1]) << 10 * ("KMGT".index(match[2].upper()) + 1)
    raise ValueError(f"{text[:50]!r} is no size; write it like 500MB or 2GB.")
