"""``libretto-instrument run``: a program, recorded without a change to it.

The program replaces this process, with `inject` on its PYTHONPATH, whose
``sitecustomize`` installs the recording; so do the interpreters that it starts.
"""

import argparse
import os
import shutil
import site
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..._config.environment import ENV_VARS, load_environment
from .dashes import DASHES
from .options import add_setting_options, read_setting_options

__all__ = ["add_arguments", "run"]

_INJECTED = str(Path(__file__).parent / "inject")
#: The folder that this package is imported from.
_PACKAGE_HOME = str(Path(__file__).parents[3])


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the settings, and the arguments that name the program and follow it."""
    add_setting_options(parser)
    # An abbreviation of one of our options may be an option of the program's.
    parser.allow_abbrev = False
    parser.usage = (
        "libretto-instrument run [options] FILE [ARGS ...]\n"
        "       libretto-instrument run [options] -m MODULE [ARGS ...]\n"
        "       libretto-instrument run [options] -c CODE [ARGS ...]\n"
        "       libretto-instrument run [options] COMMAND [ARGS ...]"
    )
    parser.epilog = (
        "Processes that the program starts with this interpreter are recorded, too: "
        "forks, subprocess, multiprocessing, the workers of gunicorn."
    )
    which = parser.add_mutually_exclusive_group()
    for flag, kind in (("-m", "module"), ("-c", "code")):
        which.add_argument(
            flag,
            dest="kind",
            action="store_const",
            const=flag,
            help=f"the program is {'a ' * (kind == 'module')}{kind}",
        )
    parser.add_argument(
        "program", help="a Python file, folder or archive; or a command, as gunicorn"
    )
    parser.add_argument(
        "arguments", nargs=argparse.REMAINDER, help="the arguments of the program"
    )


def run(args: argparse.Namespace) -> int:
    """Check the settings, then replace this process by the program.

    Returns:
        The program's exit status, on Windows; elsewhere it does not return.

    Raises:
        ValueError: The settings cannot be kept; the message says what to do.
    """
    fields = read_setting_options(args)
    _check_settings(fields)
    words = [args.program, *args.arguments]
    if words[0] == DASHES and len(words) > 1:
        del words[0]
    words = ["--" if word == DASHES else word for word in words]
    command = _build_command(words, args.kind)
    environment = _build_environment(fields)
    sys.stdout.flush()
    if sys.platform == "win32":  # There, exec would return to the shell at once.
        return subprocess.call(command, env=environment)
    return os.execve(command[0], command, environment)


def _check_settings(fields: Mapping[str, Any]) -> None:
    from ..._config.config import build_config
    from ..._config.environment import endpoint_urls
    from ..._runtime import runtime

    known = {**load_environment(), **fields}
    endpoint_urls()
    if known.get("spool_only") and not known.get("spool_dir"):
        raise ValueError(
            f"to leave the delivery to a relay takes a spool: give --spool DIR, or set "
            f"{ENV_VARS['spool_dir']}"
        )
    if sys.flags.ignore_environment:
        raise ValueError(
            "an interpreter with -E or -I ignores PYTHONPATH, by which the program is "
            "recorded: run it without"
        )
    try:
        runtime.check(build_config(None, fields))
    except ImportError as exc:
        raise ValueError(exc) from exc


def _build_command(words: list[str], kind: str | None) -> list[str]:
    program = words[0]
    if kind is None and not os.path.exists(program):
        found = shutil.which(program)
        if found is not None and not program.endswith(".py"):
            return [found, *words[1:]]
    if not sys.executable:
        raise ValueError("there is no interpreter to run the program with")
    # What multiprocessing uses to start an interpreter like this one.
    flags: list[str] = subprocess._args_from_interpreter_flags()  # type: ignore[attr-defined]
    return [sys.executable, *flags, *([kind] if kind else []), *words]


def _build_environment(fields: Mapping[str, Any]) -> dict[str, str]:
    settings = {
        ENV_VARS[name]: "1" if value is True else str(value)
        for name, value in fields.items()
    }
    before = os.environ.get("PYTHONPATH")
    entries = [
        entry for entry in (before or "").split(os.pathsep) if entry != _INJECTED
    ]
    if _PACKAGE_HOME not in _lasting_paths():
        entries.append(_PACKAGE_HOME)
    entries = [_INJECTED, *(entries if before else filter(None, entries))]
    return {**os.environ, **settings, "PYTHONPATH": os.pathsep.join(entries)}


def _lasting_paths() -> set[str]:
    """Return where another interpreter looks, too: not only this one, for this command.

    The first path is this command's own, but where ``-P`` left it out.
    """
    first = 0 if getattr(sys.flags, "safe_path", False) else 1
    found = [*sys.path[first:], *site.getsitepackages()]
    return {os.path.abspath(entry) for entry in found}
