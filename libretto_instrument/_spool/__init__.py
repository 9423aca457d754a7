"""The spool: events on disk, which outlive the process that recorded them."""

from .cursor import Stored
from .inspection import SpoolInspection, SpoolStats, inspect_spool, is_relay_running
from .relay import run_relay
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
