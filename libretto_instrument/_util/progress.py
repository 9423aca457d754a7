"""Progress bars on a terminal, if tqdm is installed."""

import os
import shutil
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TypeAlias

__all__ = ["Progress", "live_progress", "progress_bar"]

#: A description, the amount that is done, and the total.
Progress: TypeAlias = tuple[str, int, int]


@contextmanager
def progress_bar(what: str, total: int) -> Iterator[Callable[[int], object]]:
    """Show a progress bar during the block.

    Args:
        what: The description.
        total: The total amount.

    Yields:
        A function to call with each amount that is done.
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
    """Show polled progress during the block.

    Args:
        poll: Returns the progress; called on a thread of its own. If it raises, the
            last one stays.
        every: How often to poll, in seconds.
    """
    bar = _create_bar(None, None)
    if bar is None:
        yield
        return
    over = threading.Event()

    def show() -> None:
        # A failure to show progress must not end the work.
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
