"""The spool: events on disk, which outlive the process that recorded them."""

from .cursor import Stored
from .inspection import SpoolInspection, SpoolStats, inspect_spool, is_relay_running
from .spool import Spool

__all__ = [
    "Spool",
    "SpoolInspection",
    "SpoolStats",
    "Stored",
    "inspect_spool",
    "is_relay_running",
]
