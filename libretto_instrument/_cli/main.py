"""The ``libretto-instrument`` command.

Each command is one function here and one row of ``COMMANDS``. What a command needs is
imported when it runs, so that ``--help`` costs nothing and a missing extra is told as
one line.
"""

import argparse
import importlib.util
import os
import sys
from collections.abc import Callable, Sequence

from attrs import frozen

from .._version import __version__
from . import doctor, run, serve
from .argtypes import non_negative_seconds, port_number
from .cases import add_cases_arguments, cases_command
from .replay import add_replay_arguments, replay_command
from .templates import add_templates_arguments, templates_command

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

#: Likewise of one that nobody listened to to the end.
EXIT_SIGPIPE = 141


@frozen
class Command:
    """One command of the command line.

    Attributes:
        name: How it is called.
        help: What it does, in a line.
        run: Does it, and returns the exit status.
        arguments: Adds its options to its parser.
        extra: The extra that must be installed, or None.
    """

    name: str
    help: str
    run: Callable[[argparse.Namespace], int]
    arguments: Callable[[argparse.ArgumentParser], None]
    extra: str | None = None


def _demo_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--stay", action="store_true", help="keep the page up until Ctrl-C")
    add(
        "--port",
        type=port_number,
        default=0,
        help="port of the page; 0 takes a free one",
    )
    add("--db", help="SQLite file for the events (default: a temporary one)")
    add("--model", help="model to ask (default: one for each kind of call)")


def _cmd_demo(args: argparse.Namespace) -> int:
    from ..demo._demo import run

    return run(port=args.port, db=args.db, model=args.model, stay=args.stay)


def _run_arguments(parser: argparse.ArgumentParser) -> None:
    run.add_setting_options(parser)
    run.add_program(parser)


def _cmd_doctor(args: argparse.Namespace) -> int:
    return doctor.doctor_command(args, sys.stdout)


def _redact_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("file", nargs="?", default="-", help="the text; - is standard input")


def _cmd_redact(args: argparse.Namespace) -> int:
    from .redact import redact_file

    return redact_file(args.file, sys.stdout, sys.stdout.isatty())


def _add_spool_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--spool",
        metavar="DIR",
        default=os.environ.get("LIBRETTO_SPOOL_DIR"),
        help="the spool's directory, as in spool_dir= or LIBRETTO_SPOOL_DIR",
    )


def _relay_arguments(parser: argparse.ArgumentParser) -> None:
    _add_spool_option(parser)
    add = parser.add_argument
    add(
        "--api-prefix",
        metavar="URL",
        help="send all events here, not where each was recorded for",
    )
    add(
        "--drain-timeout",
        metavar="SECONDS",
        type=non_negative_seconds,
        default=10.0,
        help="how long to go on after SIGTERM",
    )
    add("--max-size", metavar="SIZE", help="how much the spool may hold, such as 2GB")
    add("--max-age", metavar="AGE", help="for how long it keeps an event, such as 7d")
    add(
        "--exporter",
        dest="exporters",
        metavar="EXPORTER",
        action="append",
        default=[],
        help="deliver to this exporter, too: [NAME=]jsonl:PATH, [NAME=]otlp:ENDPOINT "
        "or MODULE:ATTRIBUTE; may be repeated",
    )
    add(
        "--metrics-port",
        type=port_number,
        help="serve Prometheus here; 0 takes a free one",
    )
    add("--metrics-host", default="127.0.0.1", help="address to serve Prometheus on")


def _cmd_relay(args: argparse.Namespace) -> int:
    from .relay import relay_command

    return relay_command(args)


def _spool_arguments(parser: argparse.ArgumentParser) -> None:
    _add_spool_option(parser)
    add = parser.add_argument
    add("action", choices=("ls", "retry", "drop"), help="what to do with the refused")
    add("ids", metavar="ID", nargs="*", help="which; all if left out")


def _cmd_spool(args: argparse.Namespace) -> int:
    from .spool import spool_command

    return spool_command(args)


COMMANDS = (
    Command(
        "run",
        "run a program and record its calls, without a change to it",
        run.run_command,
        _run_arguments,
    ),
    Command(
        "demo",
        "record real calls of the openai package and show what arrived",
        _cmd_demo,
        _demo_arguments,
        extra="collector",
    ),
    Command(
        "serve",
        "run a local Libretto: receives events, stores them, shows them",
        serve.serve_command,
        serve.add_arguments,
        extra="collector",
    ),
    Command(
        "doctor",
        "tell why nothing arrives: packages, settings, address, spool",
        _cmd_doctor,
        doctor.add_arguments,
    ),
    Command(
        "cases",
        "write the recorded calls that have a target: a correction, or a good rating",
        cases_command,
        add_cases_arguments,
    ),
    Command(
        "replay",
        "call cases again with another template or model, and compare the answers",
        replay_command,
        add_replay_arguments,
    ),
    Command(
        "templates",
        "propose templates from recorded calls, or read these again with known ones",
        templates_command,
        add_templates_arguments,
    ),
    Command(
        "redact",
        "show what redact_pii=True would take out of a text",
        _cmd_redact,
        _redact_arguments,
        extra="pii",
    ),
    Command(
        "relay",
        "deliver what other processes write to a spool",
        _cmd_relay,
        _relay_arguments,
    ),
    Command(
        "spool",
        "list, retry or drop what Libretto refused",
        _cmd_spool,
        _spool_arguments,
    ),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        argv: The arguments, less the program's name; the process's own when None.

    Returns:
        The exit status: 0 for success, 1 for a command that found something wrong,
        2 for one that was called wrongly or cannot run here.
    """
    argv = list(sys.argv[1:] if argv is None else argv)
    args = _parser().parse_args(run.protect_dashes(argv))
    command: Command = args.command
    if missing := _missing_extra(command.extra):
        print(
            f"libretto-instrument {command.name} needs {', '.join(missing)}. Run:\n"
            f"  pip install 'libretto-instrument[{command.extra}]'",
            file=sys.stderr,
        )
        return EXIT_USAGE
    try:
        status = command.run(args)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return EXIT_SIGINT
    except BrokenPipeError:
        # The reader closed the pipe. Redirect stdout, or the flush at exit fails.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_SIGPIPE
    except (OSError, ValueError) as exc:
        # A port that is taken or a file that cannot be used: no traceback helps.
        print(f"libretto-instrument {command.name}: {exc}", file=sys.stderr)
        return EXIT_USAGE
    return status


class _Help(argparse.ArgumentDefaultsHelpFormatter):
    """Tells each default, but not that there is none."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        return super()._get_help_string(action) if action.default else action.help


def _parser() -> argparse.ArgumentParser:
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
        command.arguments(its)
        its.set_defaults(command=command)
    return parser


def _missing_extra(extra: str | None) -> list[str]:
    modules = _EXTRAS[extra] if extra else ()
    return [name for name in modules if importlib.util.find_spec(name) is None]
