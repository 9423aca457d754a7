"""Delivers what is in a spool, on behalf of the processes that write to it."""

import threading
from collections.abc import Callable, Mapping

from .._delivery import Message, Pipeline, Stats, Transport
from .._util.clock import monotonic
from .inspection import SpoolStats
from .spool import Spool

#: How often a relay sees to it that there is a worker, in seconds; and how often it
#: looks whether it has drained the spool.
_INTERVAL, _DRAIN_INTERVAL = 1.0, 0.1


def run_relay(
    spool: Spool,
    destinations: Mapping[str, Transport],
    stop: threading.Event,
    *,
    drain_timeout: float = 10.0,
    on_start: Callable[[Callable[[], tuple[Stats, SpoolStats]]], None] | None = None,
) -> bool:
    """Deliver what the spool holds and what comes, until told to stop.

    While another process reads for a destination, this one stands by, and takes its
    place within two seconds of its end.

    Args:
        spool: The spool; closed at the end.
        destinations: A transport for each destination; closed at the end.
        stop: Set, by a signal handler for instance, to end the relay.
        drain_timeout: Seconds to go on then, to empty the spool.
        on_start: Called at the beginning with what returns the statistics.

    Returns:
        Whether the spool was left with nothing to send, by this process at least.
    """
    pipeline = Pipeline(_refuse, destinations, spool, exit_timeout=0.0)
    deadline = 0.0
    try:
        if on_start is not None:
            on_start(lambda: (pipeline.stats(is_relay=True), spool.stats()))
        pipeline.read_store()
        while not stop.wait(_INTERVAL):
            pipeline.read_store()
        deadline = monotonic() + drain_timeout
        return _drain(pipeline, spool, destinations, deadline)
    finally:
        # What is being sent comes to its end, or the next relay would send it again.
        pipeline.shutdown(max(0.0, deadline - monotonic()))


def _drain(
    pipeline: Pipeline, spool: Spool, names: Mapping[str, Transport], deadline: float
) -> bool:
    while True:
        ours = [name for name in names if spool.try_lead(name)]
        pending = spool.stats().pending_by_destination if ours else {}
        if not any(pending.get(name) for name in ours):
            return True
        remaining = deadline - monotonic()
        if remaining <= 0:
            return False
        pipeline.flush(min(_DRAIN_INTERVAL, remaining))


def _refuse(item: object) -> Message | None:
    raise TypeError("a relay takes nothing but from its spool")
