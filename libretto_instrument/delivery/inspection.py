"""Looking from outside at what deliveries depend on: an address, a spool, a relay.

Nothing here stores, makes or mends anything.
"""

from ._presence import is_relayed
from ._probe import Reply, probe, without_secrets
from ._spool_look import SpoolLook, look

__all__ = ["Reply", "SpoolLook", "is_relayed", "look", "probe", "without_secrets"]
