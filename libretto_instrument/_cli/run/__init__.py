"""``libretto-instrument run``."""

from .command import add_arguments, run

__all__ = ["add_arguments", "run"]
