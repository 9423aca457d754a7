"""The ``libretto-instrument`` command: each of its commands is a module beside this.

The module is imported when its command is asked for, and what it needs when it runs, so
that ``--help`` is fast and a missing extra is reported in one line.
"""

import argparse
import importlib.util
import os
import sys
from collections.abc import Sequence
from typing import Any

from attrs import frozen

from .._util.terminal import printable
from .._util.version import __version__
from .run.dashes import protect_dashes

__all__ = ["main"]

#: The modules that tell whether an extra is installed.
_EXTRAS = {
    "collector": ("starlette", "uvicorn", "jinja2", "rapidfuzz"),
    "pii": ("phonenumbers", "stdnum"),
    "metrics": ("prometheus_client",),
}

#: Exit status for a command that was called wrongly or cannot run here.
EXIT_USAGE = 2

#: Exit status of a program that was interrupted from the keyboard, as shells have it.
EXIT_SIGINT = 130

#: Likewise of one whose output pipe was closed by its reader.
EXIT_SIGPIPE = 141


@frozen
class Command:
    """One command of the command line.

    Attributes:
        name: How it is called; also its module, which has ``add_arguments(parser)`` and
            ``run(args)``, which returns the exit status.
        help: What it does, in a line.
        extra: The extra that must be installed, or None.
    """

    name: str
    help: str
    extra: str | None = None

    @property
    def module(self) -> Any:
        """The command's module."""
        return importlib.import_module(f"{__package__}.{self.name}")


COMMANDS = (
    Command("run", "run a program and record its calls, without a change to it"),
    Command(
        "demo",
        "record real calls of the openai package and show what arrived",
        extra="collector",
    ),
    Command(
        "serve",
        "run a local Libretto: receives events, stores them, shows them",
        extra="collector",
    ),
    Command(
        "doctor", "explain why nothing arrives: packages, settings, address, spool"
    ),
    Command(
        "cases",
        "write the recorded calls that have a target: a correction, or a good rating",
    ),
    Command(
        "replay",
        "call cases again with another template or model, and compare the answers",
    ),
    Command(
        "templates",
        "propose templates from recorded calls, or read these again with known ones",
    ),
    Command(
        "redact",
        "show what redact_pii=True would take out of a text",
        extra="pii",
    ),
    Command("relay", "deliver what other processes write to a spool"),
    Command("spool", "list, retry or drop what Libretto refused"),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line, the process's own if ``argv`` is None.

    Returns:
        The exit status: 0 for success, 1 for a command that found something wrong,
        2 for one that was called wrongly or cannot run here.
    """
    _prepare_streams()
    argv = list(sys.argv[1:] if argv is None else argv)
    chosen = next((word for word in argv if not word.startswith("-")), "")
    args = _parser(chosen).parse_args(protect_dashes(argv))
    command: Command = args.command
    if missing := _missing_extra(command.extra):
        print(
            f"libretto-instrument {command.name} needs {', '.join(missing)}. Run:\n"
            f"  pip install 'libretto-instrument[{command.extra}]'",
            file=sys.stderr,
        )
        return EXIT_USAGE
    try:
        status: int = command.module.run(args)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return EXIT_SIGINT
    except BrokenPipeError:
        # The reader closed the pipe. Redirect stdout, or the flush at exit fails.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_SIGPIPE
    except (OSError, ValueError) as exc:
        # A port that is taken or a file that cannot be used: no traceback helps.
        message = printable(f"libretto-instrument {command.name}: {exc}")
        print(message, file=sys.stderr)
        return EXIT_USAGE
    return status


def _prepare_streams() -> None:
    """Have all text written, and streams that were closed replaced."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            nowhere = open(os.devnull, mode, encoding="utf-8")  # noqa: SIM115
            setattr(sys, name, nowhere)
    for stream in (sys.stdout, sys.stderr):
        # What was recorded may hold characters that the terminal's encoding has not.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


class _Help(argparse.ArgumentDefaultsHelpFormatter):
    """Shows each default, unless it is None."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        return super()._get_help_string(action) if action.default else action.help


def _parser(chosen: str | None = None) -> argparse.ArgumentParser:
    """Return the parser: with the options of one command, or of all for None."""
    parser = argparse.ArgumentParser(
        prog="libretto-instrument",
        description="Records the calls of the openai package for Libretto.",
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for command in COMMANDS:
        its = commands.add_parser(
            command.name,
            help=command.help,
            description=command.help,
            formatter_class=_Help,
        )
        if chosen in (None, command.name):
            command.module.add_arguments(its)
        its.set_defaults(command=command)
    return parser


def _missing_extra(extra: str | None) -> list[str]:
    modules = _EXTRAS[extra] if extra else ()
    return [name for name in modules if importlib.util.find_spec(name) is None]
