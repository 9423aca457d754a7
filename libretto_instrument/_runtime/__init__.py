"""What is installed in this process, and the delivery behind it."""

from .state import Runtime, runtime

__all__ = ["Runtime", "runtime"]
