"""Delivery: from the caller's thread to Libretto and the exporters.

Items go in by ``Pipeline.put``; a `Transport` for each destination gets them out. It
knows neither openai nor what an event means.
"""

from .counters import Stats
from .http import HttpTransport
from .lifecycle import on_exit, on_fork
from .message import LIBRETTO, Item, Message
from .pipeline import Pipeline
from .store import Store
from .transport import Outcome, Transport

__all__ = [
    "LIBRETTO",
    "HttpTransport",
    "Item",
    "Message",
    "Outcome",
    "Pipeline",
    "Stats",
    "Store",
    "Transport",
    "on_exit",
    "on_fork",
]
