"""Settings as options of a command line, which win over the environment."""

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..._config.fields import FIELDS, OPTIONS, Field

if TYPE_CHECKING:
    from ..._config.config import ConfigFields

__all__ = ["add_setting_options", "read_setting_options"]


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
                type=_argument_type(spec),
                help=spec.summary,
            )


def _argument_type(spec: Field) -> Callable[[str], Any]:
    """Return what parses an option's value: as the environment variable's is."""

    def parse(text: str) -> Any:
        try:
            return spec.parse(text)
        except ValueError as exc:
            raise argparse.ArgumentTypeError(str(exc)) from None

    return parse


def read_setting_options(args: argparse.Namespace) -> "ConfigFields":
    """Return the settings that the command line gives."""
    fields = {name: getattr(args, name) for name in OPTIONS}
    return {  # type: ignore[return-value]  # their names and types are the table's
        name: value for name, value in fields.items() if value is not None
    }
