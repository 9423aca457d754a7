"""The spool: events on disk, which outlive the process that recorded them."""

from .inspection import SpoolInspection, SpoolStats, inspect_spool, is_relay_running
from .relay import run_relay
from .segment import Stored
from .spool import Spool

__all__ = [
    "Spool",
    "SpoolInspection",
    "SpoolStats",
    "Stored",
    "inspect_spool",
    "is_relay_running",
    "run_relay",
]
