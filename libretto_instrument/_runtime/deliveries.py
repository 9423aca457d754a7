"""The pipelines of this process: one for each set of delivery options in use.

Most processes have one. None is made, and nothing of delivery is imported, before the
first report.
"""

import threading
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from attrs import define, field

from .._config.settings import DeliveryOptions
from .._processing.process import has_libretto_destination, needs_worker

if TYPE_CHECKING:
    from .._delivery import Pipeline, Stats, Transport
    from .._spool import Spool, SpoolStats
    from .exporter_transport import ExporterTransport

#: At most this many pipelines are kept for scopes and clients with options of their
#: own; the one that was created first delivers what it has, and ends.
MAX_PIPELINES = 16


@define(eq=False, repr=False)
class Deliveries:
    """Takes reports and hands each to the pipeline of its delivery options.

    Attributes:
        on_start: Called when a pipeline has been given its first report.
    """

    on_start: Callable[[], None]
    _endpoints: dict[str, str] = field(factory=dict)
    _pipelines: "dict[DeliveryOptions, Pipeline]" = field(factory=dict)
    _spools: "dict[Pipeline, Spool]" = field(factory=dict)
    # By the id of the user's exporter, which its transport keeps alive.
    _exporters: "dict[int, ExporterTransport]" = field(factory=dict)
    # No longer used; they deliver what they have, and are then forgotten.
    _retired: "list[Pipeline]" = field(factory=list)
    # The statistics, added up, of those that are forgotten: one or none.
    _past: "list[Stats]" = field(factory=list)
    _has_drained: bool = False
    # Reentrant, as streams report from finalizers, which run anywhere.
    _lock: Any = field(factory=threading.RLock)

    def set_endpoints(self, endpoints: dict[str, str]) -> None:
        """Send to these URLs, by kind of message, from now on."""
        if endpoints != self._endpoints:
            self._retire(lambda options: True)
            self._endpoints = endpoints

    def retire_others(self, options: DeliveryOptions | None) -> None:
        """Retire what was installed before; what still needs it, gets another."""
        self._retire(lambda each: each != options, options)

    def _retire(
        self,
        is_retired: Callable[[DeliveryOptions], bool],
        options: DeliveryOptions | None = None,
    ) -> None:
        with self._lock:
            pipelines = self._pipelines
            retired = {each: pipelines[each] for each in pipelines if is_retired(each)}
            self._retired += retired.values()
            self._pipelines = {
                each: pipelines[each] for each in pipelines if each not in retired
            }
            used = {id(e) for each in self._pipelines for e in each.exporters}
            self._exporters = {
                key: transport
                for key, transport in self._exporters.items()
                if key in used
            }
        for former, pipeline in retired.items():
            is_shared = options is not None and options.spool_dir == former.spool_dir
            pipeline.retire(reads_store=not is_shared)
        self._forget_retired()

    def submit(self, item: Any) -> None:
        """Take a finished call, feedback or a chain's result.

        Without a spool it returns at once. With one, it returns when the report is on
        disk, unless a redactor or a hook has to see it first, or templates are to be
        recognised: these run on a worker.
        """
        options = item.settings.delivery
        known = self._pipelines.get(options)
        pipeline = known or self._start(options)
        names = None
        if options.exporters and not has_libretto_destination(item):
            names = tuple(exporter.name for exporter in options.exporters)
        if options.spool_dir is not None and not needs_worker(item.settings):
            pipeline.persist(item, names)
        else:
            pipeline.put(item, names)
        if known is None:
            self.on_start()
            if self._has_drained:  # By an exit handler that runs after ours.
                pipeline.drain_at_exit()

    def recover(self, options: DeliveryOptions) -> None:
        """Have the next flush, or the exit, deliver what earlier processes spooled."""
        if options.spool_dir is not None and not options.spool_only:
            (self._pipelines.get(options) or self._start(options)).start()
            self.on_start()

    def flush(self, timeout: float) -> bool:
        """Wait until all that was submitted is delivered; say whether it is."""
        pipelines = self._all()
        if not pipelines:
            return True
        from .._util.clock import monotonic

        deadline = monotonic() + timeout
        delivered = [each.flush(deadline - monotonic()) for each in pipelines]
        return all(delivered)

    def shutdown(self, timeout: float) -> bool:
        """Deliver what there is, and stop; say whether all of it was delivered."""
        with self._lock:
            stopped = self._all()
            self._retired += self._pipelines.values()
            self._pipelines, self._exporters = {}, {}
        if not stopped:
            return True
        from .._util.clock import monotonic

        deadline = monotonic() + timeout
        delivered = [each.shutdown(deadline - monotonic()) for each in stopped]
        self._forget_retired()
        return all(delivered)

    def _forget_retired(self) -> None:
        """Keep only the statistics of retired pipelines that have nothing to do."""
        done = [each for each in self._retired.copy() if each.is_retired]
        for each in done:
            # Not with the lock held: a pipeline's own lock may be held by a thread that
            # is in a finalizer, which wants this one.
            stats = each.stats()
            with self._lock:
                if each in self._retired:
                    self._retired.remove(each)
                    self._spools.pop(each, None)
                    self._past = [type(stats).sum([*self._past, stats])]

    def begin_exit(self) -> None:
        """Have all pipelines deliver what they have, as the process ends."""
        for pipeline in self._all():
            pipeline.begin_exit()

    def drain_at_exit(self) -> None:
        """Deliver what there is as the process ends."""
        self._has_drained = True
        self.begin_exit()  # The time that they may take runs for all at once.
        for pipeline in self._all():
            pipeline.drain_at_exit()

    def stats(self) -> "Stats":
        """Return the statistics of all pipelines together, former ones included."""
        from .._delivery import Stats

        self._forget_retired()
        with self._lock:
            past, pipelines = self._past, self._all()
        return Stats.sum([*past, *(each.stats() for each in pipelines)])

    def spools(self) -> "list[SpoolStats]":
        """Return what is in the spools that are in use."""
        with self._lock:
            spools = [
                self._spools[pipeline]
                for pipeline in self._pipelines.values()
                if pipeline in self._spools
            ]
        return [spool.stats() for spool in spools]

    def _all(self) -> "list[Pipeline]":
        return [*self._retired, *self._pipelines.values()]

    def _start(self, options: DeliveryOptions) -> "Pipeline":
        with self._lock:
            if len(self._pipelines) >= MAX_PIPELINES and options not in self._pipelines:
                oldest, *_ = self._pipelines
                self._retire(lambda each: each is oldest)
            if options not in self._pipelines:
                started = self._make_pipeline(options)
                # A finalizer may have come in between on this very thread.
                self._pipelines.setdefault(options, started)
            return self._pipelines[options]

    def _make_pipeline(self, options: DeliveryOptions) -> "Pipeline":
        from .._delivery import LIBRETTO, HttpTransport, Pipeline
        from .._processing.serialize import prepare

        destinations: dict[str, Transport] = {LIBRETTO: HttpTransport()}
        if options.exporters:
            from .exporter_transport import ExporterTransport

            for exporter in options.exporters:
                # One for all pipelines: it keeps them from using it at the same time.
                transport = self._exporters.get(id(exporter))
                if transport is None:
                    transport = ExporterTransport(exporter)
                    self._exporters[id(exporter)] = transport
                destinations[exporter.name] = transport
        spool = None if options.spool_dir is None else _make_spool(options)
        pipeline = Pipeline(
            partial(prepare, self._endpoints),
            destinations,
            spool,
            max_events=options.queue_max_events,
            max_bytes=options.queue_max_bytes,
            exit_timeout=options.exit_timeout,
            spool_only=options.spool_only,
        )
        if spool is not None:
            self._spools[pipeline] = spool
        return pipeline

    def reset_after_fork(self) -> None:
        """Forget, in a forked child, a lock that another thread held at the fork.

        So too what the parent had delivered and retired: a child counts its own.
        """
        self._lock = threading.RLock()
        self._retired, self._past, self._has_drained = [], [], False


def _make_spool(options: DeliveryOptions) -> "Spool":
    from .._spool import Spool

    assert options.spool_dir is not None
    return Spool(
        options.spool_dir,
        max_bytes=options.spool_max_bytes,
        max_age=options.spool_max_age,
    )
