"""The process's state: what was installed, and the delivery behind it.

Nothing starts before it is needed: no thread and no HTTP library before the first
report.
"""

import atexit
import os
import random
import sys
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from attrs import define, field

from .._config import scope
from .._config.config import LibrettoConfig, has_name
from .._config.environment import endpoint_urls, load_environment, read_env_var
from .._config.fields import Overrides
from .._config.scope import ResolvedSettings, ScopeFrame, current
from .._config.settings import CallSettings, merge_layers, split_delivery_options
from .._processing.process import body_redactor
from .._util import errors
from .._util.termination import finishing, handle_termination
from .deliveries import Deliveries

#: What `testing.capture_events()` assumes where the program sets nothing.
_TESTING_DEFAULTS = {"api_key": "testing", "allow_unnamed_prompts": True}


def _finalize_no_streams(*, everything: bool = False) -> None:
    """Stand in for finalizing streams until capture is loaded."""


@define(eq=False, repr=False)
class Runtime:
    """What this process records, and where it is delivered.

    Settings have two layers here: the process's (environment and `install()`), and the
    scope's. A client's configuration lies between them.

    Attributes:
        records_all_clients: Record every client's calls, as after `install()`;
            otherwise only those of clients with a configuration, and those inside a
            scope.
        finalize_streams: Finalizes streams that are no longer read, or, with
            ``everything=True``, all.
        sink: Takes reports in place of the deliveries, in tests.
        diverted: Take the reports of single calls, by the ids of their events.
        deliveries: Takes reports.
    """

    records_all_clients: bool = False
    finalize_streams: Callable[..., None] = _finalize_no_streams
    sink: Callable[[Any], None] | None = None
    diverted: dict[str, Callable[[Any], None]] = field(factory=dict)
    deliveries: Deliveries = field(init=False)
    _is_configured: bool = False
    _is_exit_registered: bool = False
    _installed: Overrides = field(factory=dict)
    _environment: Overrides = field(factory=dict)
    # What an enclosing `borrowed()` block sets; None outside of one.
    _borrowed: Overrides | None = None
    _process_fields: Overrides = field(factory=dict)
    _resolved: ResolvedSettings | None = None

    @deliveries.default
    def _make_deliveries(self) -> Deliveries:
        return Deliveries(self._register_exit_drain)

    def configure(self, config: LibrettoConfig | None = None) -> None:
        """Read the environment again and, given ``config``, record every client."""
        urls, self._environment = endpoint_urls(), load_environment()
        self.deliveries.set_endpoints(urls)
        if config is not None:
            self._installed = config.set_fields()
            self.records_all_clients = True
        if not self._is_exit_registered:
            self._is_exit_registered = True
            atexit.register(self.drain_at_exit)
        self._is_configured = True
        self._merge_process_layer()

    def resume(self, config: LibrettoConfig | None) -> None:
        """Deliver what earlier processes left in the spool, if there is one."""
        self.deliveries.recover(self._resolve(current(), config).settings.delivery)

    def retire_former(self) -> None:
        """Let what was installed before deliver what it has, and then end."""
        self.deliveries.retire_others(self._resolve(None, None).settings.delivery)

    @staticmethod
    def check(config: LibrettoConfig) -> None:
        """Refuse a configuration that cannot be kept.

        Raises:
            ImportError: It asks for redaction, or the environment does, and the extra
                ``pii`` is not installed.
            ValueError: A variable has a value that its setting can't have, or a
                template can't be rendered.
        """
        redacts = config.redact_pii
        if redacts is None:
            redacts = read_env_var("redact_pii")
        if redacts:
            body_redactor(config.redactor)
        if config.templates:
            _ = config.templates.index  # type: ignore[union-attr]  # checked and loaded

    def forget(self) -> None:
        """Record no client any more, and drop what was installed."""
        self.records_all_clients = self._is_configured = False
        self._installed = {}
        self._merge_process_layer()
        self.deliveries.retire_others(None)

    def _merge_process_layer(self) -> None:
        layers = [self._environment, self._installed]
        if self._borrowed is not None:
            layers = [_TESTING_DEFAULTS, *layers, self._borrowed]
        self._process_fields = merge_layers(*layers)

    def settings(
        self, config: LibrettoConfig | None, overrides: Overrides | None
    ) -> CallSettings | None:
        """Return the settings of a call, or None if it is not to be recorded.

        Args:
            config: The configuration of the call's client, if it has one.
            overrides: What the call's ``libretto=`` sets, if it has one.
        """
        resolved = self._resolve(current(), config)
        settings = resolved.settings
        if overrides is None:
            if resolved.always_recorded:
                return settings
            if not resolved.recording_requested:
                return None
        elif overrides:
            own = has_name(overrides) or settings.has_own_name
            merged = merge_layers(resolved.fields, overrides)
            settings = CallSettings(**merged, has_own_name=own)
        if not settings.enabled:
            return None
        if not (settings.has_api_key or settings.delivery.exporters):
            errors.warn_once(
                "no key",
                "Calls are not recorded: there is no Libretto API key. Set "
                "LIBRETTO_API_KEY, or give api_key to install() or to the client.",
            )
            return None
        if not settings.has_name:
            if scope.has_named_scopes and current() is None and _is_on_a_thread():
                errors.warn_once("lost scope", _LOST_SCOPE)
            else:
                errors.warn_once("no name", _NO_NAME)
            return None
        return settings if _is_sampled(settings) else None

    def settings_here(self, config: LibrettoConfig | None) -> CallSettings:
        """Return the settings of feedback and chain results given here."""
        if not self._is_configured:
            self.configure()
        return self._resolve(current(), config).settings

    def _resolve(
        self, frame: ScopeFrame | None, config: LibrettoConfig | None
    ) -> ResolvedSettings:
        """Return the merged settings of a scope and a client, merged once for both."""
        process_fields = self._process_fields
        known = self._resolved if frame is None else frame.resolved
        if (
            known is not None
            and known.process_fields is process_fields
            and known.config is config
        ):
            return known
        merged = merge_layers(
            process_fields,
            config.set_fields() if config is not None else {},
            frame.fields if frame is not None else {},
        )
        fields = split_delivery_options(merged)
        own_name = frame is not None and has_name(frame.fields)
        resolved = ResolvedSettings(
            process_fields,
            config,
            fields,
            CallSettings(**fields, has_own_name=own_name),
            recording_requested=(
                self.records_all_clients or frame is not None or config is not None
            ),
        )
        if frame is None:
            self._resolved = resolved
        else:
            frame.resolved = resolved
        return resolved

    def submit(self, item: Any) -> None:
        """Take a finished call or a submission; wait at most for a spool write."""
        if self.diverted and item.settings.event_id in self.diverted:
            self.diverted[item.settings.event_id](item)
        elif self.sink is not None:
            self.sink(item)
        else:
            self.deliveries.submit(item)

    def flush(self, timeout: float) -> bool:
        """Wait until all that was recorded is delivered; see `flush()`."""
        self.finalize_streams()
        return self.deliveries.flush(timeout)

    def shutdown(self, timeout: float) -> bool:
        """Deliver what is left, and stop; see `shutdown()`."""
        self.finalize_streams(everything=True)
        return self.deliveries.shutdown(timeout)

    def _register_exit_drain(self) -> None:
        """Have open streams finalized when the delivery drains at the process's end.

        The delivery package handles every kind of process exit but is imported only
        when there is something to deliver; until then, `atexit` is used.
        """
        from .._delivery import on_exit

        on_exit(self)

    def begin_exit(self) -> None:
        """Finalize all streams and have what is left delivered, as the process ends."""
        self.finalize_streams(everything=True)
        self.deliveries.begin_exit()

    def drain_at_exit(self) -> None:
        """Finalize all streams and deliver what is left, as the process ends."""
        with finishing():
            self.finalize_streams(everything=True)
            self.deliveries.drain_at_exit()

    @contextmanager
    def borrowed(
        self, config: LibrettoConfig, sink: Callable[[Any], None]
    ) -> Iterator[None]:
        """Record every client for the length of a block, into ``sink``."""
        environment = load_environment()
        kept = (self.records_all_clients, self.sink, self._installed, self._environment)
        outer, outer_fields = self._borrowed, self._process_fields
        self._environment = environment
        self._borrowed = merge_layers(outer or {}, config.set_fields())
        self.records_all_clients, self.sink = True, sink
        self._merge_process_layer()
        try:
            yield
        finally:
            (
                self.records_all_clients,
                self.sink,
                self._installed,
                self._environment,
            ) = kept
            self._borrowed, self._process_fields = outer, outer_fields


def _is_on_a_thread() -> bool:
    return threading.current_thread() is not threading.main_thread()


_NO_NAME = (
    "A call without a prompt template name is not recorded. Give prompt_template_name "
    "(LIBRETTO_TEMPLATE_NAME), or allow_unnamed_prompts=True "
    "(LIBRETTO_ALLOW_UNNAMED_PROMPTS=1)."
)
_LOST_SCOPE = (
    "A call on a thread is in no scope, has no prompt template name, and is not "
    "recorded. A scope's name does not reach threads by itself: pass their "
    "ThreadPoolExecutor or Thread to libretto_instrument.propagate()."
)


def _is_sampled(settings: CallSettings) -> bool:
    """Decide by the chain or chat, so that one is recorded completely or not at all."""
    rate = settings.sample_rate
    if rate >= 1:
        return True
    group = settings.chain_id or settings.chat_id
    if group is None:
        return random.random() < rate
    return zlib.crc32(group.encode()) < rate * 2**32


runtime = Runtime()


def _after_fork_in_child() -> None:
    runtime.deliveries.reset_after_fork()
    errors.reset()
    # Children of multiprocessing (and billiard) skip `atexit`, and clear inherited
    # finalizers when they start, so one is registered at that moment.
    util: Any = sys.modules.get("multiprocessing.util")
    if util is not None:
        util.register_after_fork(runtime, _drain_at_end_of_child)


def _drain_at_end_of_child(runtime: Runtime) -> None:
    from multiprocessing.util import Finalize

    Finalize(None, runtime.drain_at_exit, exitpriority=0)
    if runtime.records_all_clients:
        handle_termination(runtime.drain_at_exit)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
