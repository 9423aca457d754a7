"""``libretto-instrument run``."""

import argparse
from typing import TYPE_CHECKING

from .options import read_setting_options

if TYPE_CHECKING:
    from .program import Program

__all__ = ["add_program", "prepared"]


def add_program(parser: argparse.ArgumentParser) -> None:
    """Add what names the program, and takes all that stands behind its name."""
    # What looks like an option of ours, but shorter, may be one of the program's.
    parser.allow_abbrev = False
    parser.usage = (
        "libretto-instrument run [options] FILE [ARGS ...]\n"
        "       libretto-instrument run [options] -m MODULE [ARGS ...]\n"
        "       libretto-instrument run [options] -c CODE [ARGS ...]"
    )
    parser.epilog = (
        "Processes that the program forks are recorded, too. Those that it starts "
        "anew (subprocess, multiprocessing's spawn) are not: they have to be run this "
        "way, or to call libretto_instrument.install()."
    )
    which = parser.add_mutually_exclusive_group()
    for flag, kind in (("-m", "module"), ("-c", "code")):
        which.add_argument(
            flag,
            dest="kind",
            action="store_const",
            const=kind,
            help=f"the program is {'a ' * (kind == 'module')}{kind}",
        )
    parser.add_argument("program", help="a file, a folder, a module or code")
    parser.add_argument(
        "arguments", nargs=argparse.REMAINDER, help="what the program is given"
    )


def prepared(args: argparse.Namespace) -> "Program":
    """Install, and return the program that is to run.

    Raises:
        ValueError: The settings cannot be kept; the message says what to do.
    """
    from ... import install
    from ..._config.environment import ENV_VARS, load_environment
    from .program import Program

    fields = read_setting_options(args)
    known = {**load_environment(), **fields}
    if known.get("spool_only") and not known.get("spool_dir"):
        raise ValueError(
            f"to leave the delivery to a relay takes a spool: give --spool DIR, or set "
            f"{ENV_VARS['spool_dir']}"
        )
    try:
        install(**fields)
    except ImportError as exc:
        raise ValueError(exc) from exc
    return Program(args.program, tuple(args.arguments), args.kind or "file")
