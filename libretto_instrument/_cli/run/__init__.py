"""``libretto-instrument run``."""

from .command import add_program, protect_dashes, run_command
from .options import add_setting_options, read_setting_options

__all__ = [
    "add_program",
    "add_setting_options",
    "protect_dashes",
    "read_setting_options",
    "run_command",
]
