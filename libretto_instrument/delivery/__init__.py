"""Delivery: from the caller's thread to Libretto, bounded and honest.

Items go in by ``Delivery.put``; a ``Sender`` gets them out. In between, a backlog
decides what goes next and a crew of threads does it. What writes to disk first is in
``delivery.durable``, which only those who want that need to load.
"""

from ._delivery import Delivery
from ._fan import Fan
from ._http import HttpSender
from ._life import drain_at_exit, reset_after_fork
from ._message import HOME, Finishers, Item, Message, Stats
from ._sender import MemorySender, Outcome, Sender

__all__ = [
    "HOME",
    "Delivery",
    "Fan",
    "Finishers",
    "HttpSender",
    "Item",
    "MemorySender",
    "Message",
    "Outcome",
    "Sender",
    "Stats",
    "drain_at_exit",
    "reset_after_fork",
]
