"""The demonstration: real calls of the ``openai`` package, recorded and read back.

It needs the ``collector`` extra.
"""

from ._server import OfflineModel, offline_model

__all__ = ["OfflineModel", "offline_model"]
