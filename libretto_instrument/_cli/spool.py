"""``libretto-instrument spool``: what waits in a spool, and what was refused."""

import argparse
import os
from datetime import datetime, timezone

from .._delivery import LIBRETTO
from .._spool import Spool, inspect_spool
from .._spool.dead_letters import DeadLetter, iter_dead_letters, remove_dead_letters
from .._util.progress import progress_bar
from .._util.terminal import printable


def add_spool_option(parser: argparse.ArgumentParser) -> None:
    """Add the option that names a spool."""
    parser.add_argument(
        "--spool",
        metavar="DIR",
        default=os.environ.get("LIBRETTO_SPOOL_DIR"),
        help="the spool's directory, as in spool_dir= or LIBRETTO_SPOOL_DIR",
    )


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    add_spool_option(parser)
    add = parser.add_argument
    add("action", choices=("ls", "retry", "drop"), help="what to do with the refused")
    add("ids", metavar="ID", nargs="*", help="which; all if left out")


def get_spool_dir(args: argparse.Namespace) -> str:
    """Return the directory that was named.

    Raises:
        ValueError: None was.
    """
    directory: str | None = args.spool
    if not directory:
        raise ValueError("name the spool: --spool DIR, or LIBRETTO_SPOOL_DIR")
    return directory


def run(args: argparse.Namespace) -> int:
    """List what was refused, have it sent once more, or drop it.

    Returns: 0; 1 if none of the ids that were named was found.

    Raises:
        ValueError: There is no spool, or it can't be used.
    """
    directory = get_spool_dir(args)
    found = inspect_spool(directory)
    if found.state == "absent":
        raise ValueError(
            f"there is no spool in {directory}. Either nothing was written yet, or "
            "another directory is meant: see spool_dir= or LIBRETTO_SPOOL_DIR."
        )
    if found.stats is None:
        raise ValueError(
            f"{found.path} cannot be used ({found.reason}). For what to do, run: "
            f"libretto-instrument doctor --spool {directory}"
        )
    # The bounds are those of who writes and who relays.
    spool = Spool(directory, max_bytes=2**62, max_age=1e9)
    if args.action == "ls":
        _list(spool)
        return 0
    ids = set(args.ids) or None
    is_retry = args.action == "retry"
    total = len(ids) if ids else found.stats.dead_letters
    try:
        with progress_bar("Retrying" if is_retry else "Dropping", total) as advance:

            def use(letter: DeadLetter) -> bool:
                advance(1)
                to = (letter.destination,)
                return not is_retry or spool.append(letter.message, to)

            count = remove_dead_letters(spool.directory, ids, use)
    except BlockingIOError as exc:
        raise ValueError(
            "a relay or another command is at work on it: try again"
        ) from exc
    finally:
        spool.close()
    print(f"{count} to be sent once more" if is_retry else f"{count} dropped")
    return 0 if count or ids is None else 1


def _list(spool: Spool) -> None:
    stats = spool.stats()
    print(f"{stats.pending} pending, {stats.dead_letters} refused, {stats.size} bytes")
    if set(stats.pending_by_destination) - {LIBRETTO}:
        for destination, count in sorted(stats.pending_by_destination.items()):
            print(f"{count} pending for {printable(destination)}")
    for reason, count in stats.dropped.items():
        print(printable(f"{count} dropped: {reason}"))
    for letter in iter_dead_letters(spool.directory):
        print(_format(letter))


def _format(letter: DeadLetter) -> str:
    at = datetime.fromtimestamp(letter.rejected_at, timezone.utc)
    by = "" if letter.destination == LIBRETTO else f"{letter.destination}: "
    return printable(
        f"{letter.message.id}  {at:%Y-%m-%d %H:%M:%S}Z  {letter.message.kind:<8}  "
        f"{by}{letter.reason}"
    ).replace("\n", " ")
