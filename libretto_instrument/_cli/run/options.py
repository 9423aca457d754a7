"""Settings as options of a command line, which win over the environment."""

import argparse
from typing import TYPE_CHECKING

from ..._config.fields import FIELDS, OPTIONS
from ..argtypes import fraction

if TYPE_CHECKING:
    from ..._config.config import ConfigFields

__all__ = ["add_setting_options", "read_setting_options"]

_TYPES = {"sample_rate": fraction}


def add_setting_options(parser: argparse.ArgumentParser) -> None:
    """Add an option for each setting that has one."""
    for name, option in OPTIONS.items():
        spec = FIELDS[name]
        if spec.metavar is None:
            parser.add_argument(
                option, dest=name, action="store_true", default=None, help=spec.summary
            )
        else:
            parser.add_argument(
                option,
                dest=name,
                metavar=spec.metavar,
                type=_TYPES.get(name, str),
                help=spec.summary,
            )


def read_setting_options(args: argparse.Namespace) -> "ConfigFields":
    """Return the settings that the command line gives."""
    fields = {name: getattr(args, name) for name in OPTIONS}
    return {  # type: ignore[return-value]  # their names and types are the table's
        name: value for name, value in fields.items() if value is not None
    }
