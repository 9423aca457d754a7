"""Recording a program that knows nothing of it: ``libretto-instrument run``."""

from .command import add_program, prepared
from .options import FLAGS, add_flags, given

__all__ = ["FLAGS", "add_flags", "add_program", "given", "prepared"]
