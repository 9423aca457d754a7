"""``libretto-instrument relay`` and ``libretto-instrument spool``."""

import signal
import sqlite3
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import TextIO

from attrs import define

from .._util.progress import Standing, counted, watched
from ._http import HttpSender
from ._message import HOME, Finishers, Stats
from ._relay import relay
from ._sender import Sender
from ._spool import Spool
from ._spool_look import look
from ._spool_values import Refused, SpoolStats

#: So many rows are moved or deleted in one transaction.
_PART = 500


def relay_command(
    directory: str,
    urls: Mapping[str, str],
    drain_timeout: float,
    others: Mapping[str, Sender] | None = None,
    on_start: Callable[[Callable[[], tuple[Stats, SpoolStats]]], None] | None = None,
    *,
    finishers: Finishers,
    bounds: Mapping[str, int] | None = None,
) -> int:
    """Deliver what a spool holds and what comes, until SIGTERM or SIGINT.

    Args:
        directory: The spool.
        urls: The address for each kind of message.
        drain_timeout: For how many seconds to go on after the signal.
        others: What delivers to other destinations than Libretto, by name.
        on_start: Called at the beginning with what tells the figures at any moment.
        finishers: What finishes messages that applications wrote unfinished.
        bounds: ``max_bytes`` and ``max_age`` of the spool, where they are not those of
            `Spool`.

    Returns:
        The exit code: 0. What could not be delivered in time stays in the spool.
    """
    stop = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: stop.set())
    spool = _usable(directory, finishers, bounds or {})
    to = ", ".join([urls["event"], *(others or ())])
    print(f"Relaying {spool.directory} to {to}", file=sys.stderr, flush=True)
    backlog = _Backlog(spool.directory, (HOME, *(others or ())), stop)
    with watched(backlog.look, every=0.5):
        emptied = relay(
            spool,
            HttpSender(urls),
            stop,
            others=others,
            drain_timeout=drain_timeout,
            on_start=on_start,
        )
    if not emptied:
        print(
            "Stopped; what is left stays in the spool. Run it again to deliver it.",
            file=sys.stderr,
        )
    return 0


@define
class _Backlog:
    """How far a relay is, as the spool shows it.

    Attributes:
        directory: The spool.
        destinations: To whom the relay delivers.
        stop: Set when the relay is to end.
    """

    directory: Path
    destinations: tuple[str, ...]
    stop: threading.Event
    _most: int = 0

    def look(self) -> Standing:
        """Say what waits of the most that ever did."""
        stats = look(self.directory, otherwise=self.destinations).stats
        waiting_for = {} if stats is None else stats.waiting_for
        # The one furthest behind: to sum them up would count messages several times.
        waiting = max(waiting_for.get(name, 0) for name in self.destinations)
        self._most = max(self._most, waiting) if waiting else 0
        what = "Emptying the spool" if self.stop.is_set() else "Relaying"
        return what, self._most - waiting, self._most


def list_command(directory: str, out: TextIO) -> int:
    """Show how much waits in a spool, and which messages were refused and why."""
    spool = _existing(directory)
    stats = spool.stats()
    print(
        f"{stats.waiting} waiting ({stats.claimed} being sent), "
        f"{stats.aside} refused, {stats.size} bytes",
        file=out,
    )
    if set(stats.waiting_for) - {HOME}:
        for destination, count in sorted(stats.waiting_for.items()):
            print(f"{count} waiting for {destination}", file=out)
    for reason, count in stats.lost.items():
        print(f"{count} dropped: {reason}", file=out)
    for refused in spool.refused():
        print(_line(refused), file=out)
    spool.close()
    return 0


def retry_command(directory: str, rows: Sequence[int], out: TextIO) -> int:
    """Have refused messages, all or those of the given numbers, sent once more."""
    spool = _existing(directory)
    count = _in_parts("Retrying", spool.retry, rows or spool.refused_rows())
    print(f"{count} to be sent once more", file=out)
    spool.close()
    return 0


def drop_command(directory: str, rows: Sequence[int], out: TextIO) -> int:
    """Forget refused messages, all or those of the given numbers."""
    spool = _existing(directory)
    count = _in_parts("Dropping", spool.discard, rows or spool.refused_rows())
    print(f"{count} dropped", file=out)
    spool.close()
    return 0


def _in_parts(
    what: str, work: Callable[[Sequence[int]], int], rows: Sequence[int]
) -> int:
    """Work on some rows at a time, so that writers get their turn in between."""
    count = 0
    with counted(what, len(rows)) as advance:
        for start in range(0, len(rows), _PART):
            part = rows[start : start + _PART]
            count += work(part)
            advance(len(part))
    return count


def _existing(directory: str) -> Spool:
    """Return a spool that is there: looking must not make one.

    Raises:
        ValueError: There is none, or it cannot be used.
    """
    found = look(directory)
    if found.state == "absent" and not found.is_former:
        raise ValueError(
            f"there is no spool in {directory}. Either nothing was written yet, or "
            "another directory is meant: see spool_dir= or LIBRETTO_SPOOL_DIR."
        )
    if found.state not in ("ours", "absent"):
        raise ValueError(
            f"{found.path} cannot be used ({found.reason}). For what to do, run: "
            f"libretto-instrument doctor --spool {directory}"
        )
    spool = Spool(directory)
    if found.is_former:
        spool.adopt()
    return spool


def _usable(directory: str, finishers: Finishers, bounds: Mapping[str, int]) -> Spool:
    """Return a spool that is there, or can be.

    Raises:
        ValueError: It cannot be, now or later.
    """
    spool = Spool(directory, finishers=finishers, **bounds)
    try:
        spool.keep_bounds()
    except OSError as exc:
        raise ValueError(
            f"{spool.directory} cannot be a spool ({exc.strerror}). Name a directory "
            "that this user may write to: --spool DIR, or LIBRETTO_SPOOL_DIR."
        ) from exc
    except sqlite3.Error:
        pass  # That may pass; the relay says so, and tries again.
    return spool


def _line(refused: Refused) -> str:
    at = datetime.fromtimestamp(refused.refused_at, timezone.utc)
    by = "" if refused.destination == HOME else f"{refused.destination}: "
    return (
        f"{refused.row:>6}  {at:%Y-%m-%d %H:%M:%S}Z  {refused.message.kind:<8}  "
        f"{refused.message.id}  {by}{refused.reason}"
    )
