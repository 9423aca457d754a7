"""The delivery as the rest of the library sees it."""

from collections import deque
from collections.abc import Callable, Iterable
from threading import TIMEOUT_MAX
from time import monotonic
from typing import Any

from .._util import errors
from . import _life
from ._backlog import Backlog
from ._crew import Crew
from ._gate import BOX, LIGHT, Gate
from ._ledger import Mark
from ._message import Item, Message, Stats
from ._sender import Sender

#: How often a flush looks whether there is still a worker, in seconds.
_LOOK_AROUND = 0.1


class Delivery:
    """Takes items from the callers' threads and gets them to Libretto.

    ``put`` is all that callers wait for. Threads, connections and imports come with
    the first item; without one, there is nothing to shut down.
    """

    def __init__(
        self,
        prepare: Callable[[Any], Message | None],
        sender: Sender,
        *,
        max_events: int = 10_000,
        max_bytes: int = 64 * 2**20,
        exit_timeout: float = 5.0,
        max_in_flight: int = 32,
        drains_at_exit: bool = True,
        destination: str = "Libretto",
        nap: float | None = None,
    ) -> None:
        """Make a delivery that has not started anything yet.

        Args:
            prepare: Turns an item into a message, on a worker thread. It returns None
                for an item that the user wants withheld.
            sender: Sends the messages; closed by ``shutdown``.
            max_events: At most so many items wait or are in flight; beyond that the
                oldest waiting ones are dropped.
            max_bytes: Likewise, in bytes.
            exit_timeout: For how many seconds the interpreter's exit may be held up
                to deliver what is left.
            max_in_flight: At most so many messages are sent at the same time.
            drains_at_exit: Whether to drain at exit unasked; if not, whoever owns the
                delivery calls ``drain_at_exit``.
            destination: Where the messages go, for the log.
            nap: For how many seconds a worker waits for more after its last job,
                before it waits to be roused; None for as long as spares the callers.

        Raises:
            ValueError: If a bound allows nothing.
        """
        if min(max_events, max_bytes, max_in_flight) < 1:
            raise ValueError(
                "max_events, max_bytes and max_in_flight must be at least 1, not "
                f"{max_events}, {max_bytes} and {max_in_flight}"
            )
        self._prepare = prepare
        self._sender = sender
        self._max_events = max_events
        self._max_bytes = max_bytes
        self._max_in_flight = max_in_flight
        self._exit_timeout = exit_timeout
        self._drains_at_exit = drains_at_exit
        self._destination = destination
        self._nap = nap
        self._start_afresh()
        _life.reset_after_fork(self)

    def _start_afresh(self) -> None:
        self._exit_prepared = False
        self._exit_deadline: float | None = None
        # A share of the bounds, as what waits there does not count yet.
        room, light = self._max_events // 8, self._max_bytes // (8 * BOX)
        self._gate = Gate(self._admit, room=min(BOX, room), light=min(LIGHT, light))
        self._backlog = Backlog(self._max_events, self._max_bytes)
        self._crew = Crew(
            self._gate,
            self._backlog,
            self._prepare,
            self._sender,
            limit=self._max_in_flight,
            on_hire=self._prepare_for_exit,
            destination=self._destination,
            nap=self._nap,
        )

    def start(self) -> bool:
        """Have a worker before there is work: when the process ends, none can come.

        Like ``put`` it waits for nobody.

        Returns:
            Whether there is one; if not, it may be called again.
        """
        if self._gate.enter(0):
            try:
                self._crew.hire_first()
            finally:
                self._gate.leave()
        return self.staffed

    @property
    def staffed(self) -> bool:
        """Whether there is a worker."""
        return self._crew.size > 0

    def put(self, item: Item) -> None:
        """Take an item for delivery.

        It never waits, never raises and never touches the network, so it may be
        called anywhere: in a finaliser, in a signal handler, in a forked child, while
        the interpreter shuts down.
        """
        try:
            self._gate.put(item)
        except Exception as exc:
            errors.log_internal_error(exc, "delivery.put")

    def flush(self, timeout: float = 5.0) -> bool:
        """Wait until all that was put before is delivered.

        Pauses between attempts are cut short meanwhile.

        Args:
            timeout: For how many seconds at most.

        Returns:
            True if Libretto has everything that was put since the last flush (less
            what the user withheld); False if something is still on its way, or lost.
        """
        deadline = monotonic() + timeout
        mark = self.begin_flush(timeout)
        return mark is not None and self.end_flush(mark, deadline)

    def begin_flush(self, timeout: float) -> Mark | None:
        """Cut pauses short for so many seconds, and mark what was put so far.

        Returns:
            What ``end_flush`` must be given; None if that took too long.
        """
        # No lock can be waited for longer than this: some centuries.
        timeout = min(max(0.0, timeout), TIMEOUT_MAX)
        deadline = monotonic() + timeout
        if not self._gate.enter(timeout):
            return None
        crew, backlog = self._crew, self._backlog
        try:
            mark = backlog.ledger.mark(backlog.newest, backlog.pending)
            if mark.remaining:
                if backlog.hurry(monotonic(), deadline):
                    crew.rouse_all()
                crew.rouse(urgently=True)
        finally:
            self._gate.leave()
        return mark

    def end_flush(self, mark: Mark, deadline: float) -> bool:
        """Wait for what was marked, until a time of the monotonic clock.

        Returns:
            As ``flush`` does.
        """
        crew, backlog = self._crew, self._backlog
        try:
            while not mark.wait(min(_LOOK_AROUND, deadline - monotonic())):
                if monotonic() >= deadline:
                    break
                with self._gate:
                    crew.rouse(urgently=True)
                    deserted = not crew.size
                if deserted:
                    crew.work_here(mark, deadline)
        finally:
            with self._gate:
                backlog.ledger.lift(mark)
        return mark.remaining <= 0 and not mark.lost

    def shutdown(self, timeout: float = 5.0) -> bool:
        """Deliver what can be delivered in time, then stop for good.

        What is left, and what is put later, is counted as dropped.

        Args:
            timeout: For how many seconds at most.

        Returns:
            What ``flush`` returned.
        """
        complete = self.flush(timeout)
        with self._gate:
            self._backlog.close()
            self._crew.rouse_all()
        try:
            self._sender.close()
        except Exception as exc:
            errors.log_internal_error(exc, "delivery.shutdown")
        return complete

    def stats(self) -> Stats:
        """Tell where everything that was ever put is now."""
        with self._gate:
            return self._backlog.ledger.stats(
                queued=self._backlog.waiting,
                in_flight=self._backlog.in_flight,
            )

    def _admit(self, box: deque[Item]) -> None:
        while box:
            try:
                self._backlog.add(box.popleft())
            except Exception as exc:
                # Whoever happens to be inside the gate must not fail for it.
                self._backlog.refuse("prepare_failed")
                errors.log_internal_error(exc, "delivery.put")
        self._crew.rouse()

    def _prepare_for_exit(self) -> None:
        if self._drains_at_exit and not self._exit_prepared:
            self._exit_prepared = True
            _life.drain_at_exit(self)

    def after_fork_in_child(self) -> None:
        """Forget everything of the parent's: it delivers its own events."""
        self._start_afresh()

    def hire_no_more(self) -> None:
        """Start no more threads; what they would do, ``flush`` does."""
        with self._gate:
            self._crew.hire_no_more()

    def drain_at_exit(self) -> None:
        """Deliver what is left as the interpreter exits, without a new thread.

        However often it is called, it holds up the exit for ``exit_timeout`` in all.
        """
        now = monotonic()
        if self._exit_deadline is None:
            self._exit_deadline = now + self._exit_timeout
        self.hire_no_more()
        with self._gate:
            left = self._backlog.pending
        if not left or now > self._exit_deadline:
            return
        if not self.flush(self._exit_deadline - now):
            self.tell_what_is_left()

    def tell_what_is_left(self) -> None:
        """Warn of what the end of the process leaves undelivered, if anything."""
        if self._backlog.pending:
            errors.log(
                "The process ends before %d events could be delivered to %s "
                "(last error: %s). flush() with a longer timeout before the end, or "
                "a spool directory, would keep them.",
                self._backlog.pending,
                self._destination,
                self._backlog.ledger.last_error,
            )


def flush_all(deliveries: Iterable[Delivery], deadline: float) -> bool:
    """Flush several deliveries at the same time.

    Those without a worker, as at the end of the process, do their work here, one
    after the other, and may each take its share of the time that is left.

    Args:
        deliveries: Which.
        deadline: Until when at most, by the monotonic clock.

    Returns:
        Whether each of them returned True; see `Delivery.flush`.
    """
    begun = [(each, each.begin_flush(deadline - monotonic())) for each in deliveries]
    complete = True
    try:
        while begun:
            each, mark = begun.pop(0)
            shares = 1 + sum(not other.staffed for other, _ in begun)
            now = monotonic()
            until = deadline if each.staffed else now + (deadline - now) / shares
            complete = mark is not None and each.end_flush(mark, until) and complete
    finally:
        for each, mark in begun:
            if mark is not None:
                each.end_flush(mark, 0.0)
    return complete
