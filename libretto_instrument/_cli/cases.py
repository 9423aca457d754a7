"""The ``cases`` command: recorded calls with a target, as a file."""

import argparse
import os
import shutil
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from .._util.terminal import printable
from .argtypes import fraction

_T = TypeVar("_T")

#: Where recorded calls are looked for unless told otherwise.
DATABASE = "libretto.db"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``cases``."""
    add = parser.add_argument
    add("--prompt", metavar="NAME", help="only cases of this prompt")
    add("--since", metavar="AGE", help="only calls of the last 30d, 24h, …")
    add(
        "--rating",
        type=fraction,
        default=0.75,
        metavar="MIN",
        help="an answer rated at least this is its own target",
    )
    add("--limit", type=int, metavar="N", help="at most this many, the newest")
    add(
        "--from",
        dest="source",
        metavar="SOURCE",
        help="a local Libretto's database or address, or a JSON-lines log of calls "
        f"(default: {DATABASE}, or else the local Libretto that answers)",
    )
    add("--format", choices=("jsonl", "csv", "promptfoo"), default="jsonl")
    add("-o", "--output", metavar="FILE", help="the file to write (default: stdout)")


def run(args: argparse.Namespace) -> int:
    """Write the cases; say how many there are, and what is wrong with some."""
    from .. import improve
    from .._util.units import parse_duration
    from ..improve._cases import describe_cases, format_cases

    if args.limit is not None and args.limit < 0:
        raise ValueError(f"invalid limit {args.limit}: must be 0 or more")
    found = with_warnings(
        improve.cases,
        args.source or find_source(),
        prompt=args.prompt,
        since=0.0 if args.since is None else time.time() - parse_duration(args.since),
        min_rating=args.rating,
        limit=args.limit,
    )
    data = "".join(format_cases(found, args.format)).encode(errors="backslashreplace")
    if args.output in (None, "-"):
        sys.stdout.buffer.write(data)
        sys.stdout.flush()
    else:
        _replace(Path(args.output), data)
    for line in describe_cases(found):
        print(line, file=sys.stderr)
    if not found:
        print(
            "Rate an answer, or say what it should have been: on its page, or with "
            "send_feedback().",
            file=sys.stderr,
        )
    return 0


def find_source() -> str:
    """Return the database in the working directory, or the address that answers.

    Raises:
        ValueError: There is neither.
    """
    from ..improve._sources import hide_secrets
    from ..improve._stores import find_local, local_address

    if Path(DATABASE).exists():
        return DATABASE
    if (address := find_local()) is not None:
        return address
    raise ValueError(
        f"there is no {DATABASE} here, and no local Libretto answers at "
        f"{hide_secrets(local_address())}: name a source with --from"
    )


def with_warnings(function: Callable[..., _T], *args: Any, **kwargs: Any) -> _T:
    """Call a function; tell its warnings as lines."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = function(*args, **kwargs)
    for warning in caught:
        print(printable(f"warning: {warning.message}"), file=sys.stderr)
    return result


def _replace(path: Path, data: bytes) -> None:
    """Write a file whole, or leave what was there."""
    if not path.absolute().parent.is_dir():
        raise ValueError(f"there is no directory for {path}")
    if path.exists() and not path.is_file():
        path.write_bytes(data)  # A device or a pipe has no place to be renamed to.
        return
    path = path.resolve()  # What a link leads to is written, and the link stays.
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    is_there = path.exists()

    def create(name: str, flags: int) -> int:
        return os.open(name, flags, 0o600 if is_there else 0o666)

    try:
        with open(partial, "wb", opener=create) as file:
            file.write(data)
        if is_there:
            shutil.copymode(path, partial)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
