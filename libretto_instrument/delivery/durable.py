"""The durable half of the delivery: the spool, who writes to it, who sends from it.

Apart from the room's front door because it loads SQLite.
"""

from ._durable import DurableDelivery
from ._relay import relay
from ._spool import Spool
from ._spool_values import Refused, SpoolStats

__all__ = ["DurableDelivery", "Refused", "Spool", "SpoolStats", "relay"]
