"""Settings as options of a command line, each laid over the environment's."""

import argparse
from typing import TYPE_CHECKING

from ..argtypes import share

if TYPE_CHECKING:
    from ..._config.fields import ConfigFields

__all__ = ["FLAGS", "add_flags", "given"]

#: The option that sets each field.
FLAGS = {
    "prompt_template_name": "--template-name",
    "allow_unnamed_prompts": "--allow-unnamed",
    "chat_id": "--chat-id",
    "redact_pii": "--redact-pii",
    "sample_rate": "--sample-rate",
    "spool_dir": "--spool",
    "spool_only": "--spool-only",
}


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Add the options; what is not given is left to the environment."""
    texts = {
        "prompt_template_name": ("NAME", "for calls that say none"),
        "chat_id": ("ID", "the chat session of calls that say none"),
        "spool_dir": ("DIR", "write events to disk first, here"),
    }
    switches = {
        "allow_unnamed_prompts": "record calls without a template name, too",
        "redact_pii": "take personal data out before anything leaves",
        "spool_only": "leave the delivery to libretto-instrument relay",
    }
    for name, (metavar, text) in texts.items():
        parser.add_argument(FLAGS[name], dest=name, metavar=metavar, help=text)
    for name, text in switches.items():
        parser.add_argument(
            FLAGS[name], dest=name, action="store_true", default=None, help=text
        )
    parser.add_argument(
        FLAGS["sample_rate"],
        dest="sample_rate",
        type=share,
        metavar="SHARE",
        help="the share of calls to record, from 0 to 1",
    )


def given(args: argparse.Namespace) -> "ConfigFields":
    """Return the fields that the command line sets."""
    fields = {name: getattr(args, name) for name in FLAGS}
    return {  # type: ignore[return-value]  # their names and types are the table's
        name: value for name, value in fields.items() if value is not None
    }
