"""How far things are, shown where somebody waits: on a terminal, if tqdm is there."""

import os
import shutil
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TypeAlias

__all__ = ["Progress", "live_progress", "progress_bar"]

#: What is being done, how much of it is done, and how much there is in all.
Progress: TypeAlias = tuple[str, int, int]


@contextmanager
def progress_bar(what: str, total: int) -> Iterator[Callable[[int], object]]:
    """Show how much of a work is done while the block does it.

    Args:
        what: What is being done, for the terminal.
        total: How much there is to do.

    Yields:
        What to call with the amount, whenever more is done.
    """
    bar = _create_bar(what, total)
    if bar is None:
        yield lambda _: None
        return
    with bar:
        yield bar.update


@contextmanager
def live_progress(
    poll: Callable[[], Progress], *, every: float = 0.2
) -> Iterator[None]:
    """Show how things stand while the block waits.

    Args:
        poll: Says how they stand; called from a thread of its own. If it fails, what
            it said last stays.
        every: How often to poll, in seconds.
    """
    bar = _create_bar(None, None)
    if bar is None:
        yield
        return
    over = threading.Event()

    def show() -> None:
        # Progress that cannot be told must not end what makes it.
        with suppress(Exception):
            what, bar.n, bar.total = poll()
            bar.set_description(what)

    def keep_showing() -> None:
        show()
        while not over.wait(every):
            show()

    showing = threading.Thread(target=keep_showing, name="progress", daemon=True)
    showing.start()
    try:
        yield
    finally:
        over.set()
        showing.join()
        bar.close()


def _create_bar(what: str | None, total: int | None) -> Any:
    """Return a bar of tqdm's; None where it would not be seen or is not installed."""
    seen = sys.stderr is not None and sys.stderr.isatty()
    if not seen or os.environ.get("TERM") == "dumb":
        return None
    try:
        from tqdm import tqdm
    except ImportError:
        return None
    # Neither a thread nor a lock between processes: there is but one bar.
    tqdm.monitor_interval = 0
    tqdm.set_lock(threading.RLock())
    # Some terminals do not know how large they are, and would be shown nothing.
    width = shutil.get_terminal_size().columns
    return tqdm(
        desc=what,
        total=total,
        leave=False,
        file=sys.stderr,
        ncols=width - 1,
        nrows=24,
    )
