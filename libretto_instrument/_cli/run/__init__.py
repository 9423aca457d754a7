"""Recording a program that knows nothing of it: ``libretto-instrument run``."""

from .command import add_program, prepared
from .options import add_setting_options, read_setting_options

__all__ = [
    "add_program",
    "add_setting_options",
    "prepared",
    "read_setting_options",
]
