"""``libretto-instrument relay`` and ``libretto-instrument spool``."""

import signal
import sys
import threading
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import TextIO

from ._http import HttpSender
from ._relay import relay
from ._spool import Spool
from ._spool_values import Refused


def relay_command(directory: str, urls: Mapping[str, str], drain_timeout: float) -> int:
    """Deliver what a spool holds and what comes, until SIGTERM or SIGINT.

    Args:
        directory: The spool.
        urls: The address for each kind of message.
        drain_timeout: For how many seconds to go on after the signal.

    Returns:
        The exit code: 0. What could not be delivered in time stays in the spool.
    """
    stop = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: stop.set())
    spool = Spool(directory)
    print(f"Relaying {spool.directory} to {urls['event']}", file=sys.stderr, flush=True)
    emptied = relay(spool, HttpSender(urls), stop, drain_timeout=drain_timeout)
    if not emptied:
        print("Stopped; what is left stays in the spool.", file=sys.stderr)
    return 0


def list_command(directory: str, out: TextIO) -> int:
    """Show how much waits in a spool, and which messages were refused and why."""
    spool = _existing(directory)
    stats = spool.stats()
    print(
        f"{stats.waiting} waiting ({stats.claimed} being sent), "
        f"{stats.aside} refused, {stats.size} bytes",
        file=out,
    )
    for reason, count in stats.lost.items():
        print(f"{count} dropped: {reason}", file=out)
    for refused in spool.refused():
        print(_line(refused), file=out)
    spool.close()
    return 0


def retry_command(directory: str, rows: Sequence[int], out: TextIO) -> int:
    """Have refused messages, all or those of the given numbers, sent once more."""
    spool = _existing(directory)
    print(f"{spool.retry(rows or None)} to be sent once more", file=out)
    spool.close()
    return 0


def drop_command(directory: str, rows: Sequence[int], out: TextIO) -> int:
    """Forget refused messages, all or those of the given numbers."""
    spool = _existing(directory)
    print(f"{spool.discard(rows or None)} dropped", file=out)
    spool.close()
    return 0


def _existing(directory: str) -> Spool:
    """Return a spool that is there: looking must not make one.

    Raises:
        ValueError: There is no such directory.
    """
    if not Path(directory).is_dir():
        raise ValueError(f"there is no spool at {directory}")
    return Spool(directory)


def _line(refused: Refused) -> str:
    at = datetime.fromtimestamp(refused.refused_at, timezone.utc)
    return (
        f"{refused.row:>6}  {at:%Y-%m-%d %H:%M:%S}Z  {refused.message.kind:<8}  "
        f"{refused.message.id}  {refused.reason}"
    )
