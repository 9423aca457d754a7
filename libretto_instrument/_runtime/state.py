"""The one thing that is global: what was installed, and the delivery behind it.

Nothing starts before it is needed: no thread and no HTTP library until the first
report.
"""

import atexit
import os
import random
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from attrs import define, field

from .._config.fields import Given, LibrettoConfig, has_name
from .._config.scope import Frame, Resolved, current
from .._config.settings import (
    Settings,
    endpoints,
    environment,
    from_environment,
    merge,
    settled,
)
from .._processing.process import body_redactor
from .._util import errors
from .deliveries import Deliveries


def _no_streams(*, everything: bool = False) -> None:
    """Stand in for ending streams until capture is there."""


@define(eq=False, repr=False)
class Runtime:
    """What this process records, and where it goes.

    Attributes:
        everyone: Record every client's calls, as after `install()`; otherwise only
            those of clients that have a configuration, and those in a scope.
        finalize_streams: Ends streams that nobody reads on, or all of them.
        sink: Where reports go instead of the deliveries, in tests.
        deliveries: Where reports go.
    """

    everyone: bool = False
    finalize_streams: Callable[..., None] = _no_streams
    sink: Callable[[Any], None] | None = None
    deliveries: Deliveries = field(init=False)
    _configured: bool = False
    _registered: bool = False
    _installed: Given = field(factory=dict)
    _environment: Given = field(factory=dict)
    # What is laid under and over everything else inside a borrowed block.
    _floor: Given = field(factory=dict)
    _top: Given = field(factory=dict)
    _base: Given = field(factory=dict)
    _resolved: Resolved | None = None

    @deliveries.default
    def _make_deliveries(self) -> Deliveries:
        return Deliveries(self._mind_exit)

    def configure(self, config: LibrettoConfig | None = None) -> None:
        """Read the environment anew and, given ``config``, record every client."""
        urls, self._environment = endpoints(), environment()
        self.deliveries.address(urls)
        if config is not None:
            self._installed = config.given()
            self.everyone = True
        if not self._registered:
            self._registered = True
            atexit.register(self.drain_at_exit)
        self._configured = True
        self._lay_base()

    def resume(self, config: LibrettoConfig | None) -> None:
        """Deliver what earlier processes left in the spool, if there is one."""
        self.deliveries.resume(self._resolve(current(), config).settings.route)

    @staticmethod
    def check(config: LibrettoConfig) -> None:
        """Refuse a configuration that cannot be kept.

        Raises:
            ImportError: It asks for redaction, or the environment does, and there is
                nothing to redact with.
            ValueError: A variable holds what it cannot, or a template cannot be
                rendered.
        """
        redacts = config.redact_pii
        if redacts is None:
            redacts = from_environment("redact_pii")
        if redacts:
            body_redactor(config.redactor)
        if config.templates:
            _ = config.templates.index

    def forget(self) -> None:
        """Record nobody any more, and drop what was installed."""
        self.everyone = self._configured = False
        self._installed = {}
        self._lay_base()

    def _lay_base(self) -> None:
        self._base = merge(self._floor, self._environment, self._installed, self._top)

    def settings(
        self, config: LibrettoConfig | None, given: Given | None
    ) -> Settings | None:
        """Return what holds for a call, or None if it is not to be recorded.

        Args:
            config: The configuration of the call's client, if it has one.
            given: What the call's ``libretto=`` sets, if it has one.
        """
        frame = current()
        resolved = self._resolve(frame, config)
        settings = resolved.settings
        if given is None:
            if resolved.recorded:
                return settings
            if not resolved.wanted:
                return None
        elif given:
            own = has_name(given) or settings.has_own_name
            settings = Settings(**merge(resolved.given, given), has_own_name=own)
        if not settings.enabled:
            return None
        if not (settings.has_key or settings.route.exporters):
            errors.warn_once(
                "no key",
                "Calls are not recorded: there is no Libretto API key. Set "
                "LIBRETTO_API_KEY, or give api_key to install() or to the client.",
            )
            return None
        if not settings.has_name:
            errors.warn_once(
                "no name",
                "A call without a prompt template name is not recorded. Give "
                "prompt_template_name (LIBRETTO_TEMPLATE_NAME), or "
                "allow_unnamed_prompts=True (LIBRETTO_ALLOW_UNNAMED_PROMPTS=1).",
            )
            return None
        return settings if _is_sampled(settings) else None

    def settings_here(self, config: LibrettoConfig | None) -> Settings:
        """Return what holds for feedback and chain results given here."""
        if not self._configured:
            self.configure()
        return self._resolve(current(), config).settings

    def _resolve(self, frame: Frame | None, config: LibrettoConfig | None) -> Resolved:
        """Return what holds in a place, worked out once."""
        known = self._resolved if frame is None else frame.resolved
        if known is not None and known.base is self._base and known.config is config:
            return known
        base = self._base
        given = settled(
            merge(
                base,
                config.given() if config is not None else {},
                frame.given if frame is not None else {},
            )
        )
        wanted = self.everyone or frame is not None or config is not None
        own = frame is not None and has_name(frame.given)
        settings = Settings(**given, has_own_name=own)
        resolved = Resolved(base, config, given, settings, wanted)
        if frame is None:
            self._resolved = resolved
        else:
            frame.resolved = resolved
        return resolved

    def submit(self, item: Any) -> None:
        """Take a finished call or a statement. Waits for nothing but a spool."""
        if self.sink is not None:
            self.sink(item)
        else:
            self.deliveries.submit(item)

    def flush(self, timeout: float) -> bool:
        """Wait until all that was recorded is delivered; see `flush()`."""
        self.finalize_streams()
        return self.deliveries.flush(timeout)

    def shutdown(self, timeout: float) -> bool:
        """Deliver what there is, and stop; see `shutdown()`."""
        self.finalize_streams(everything=True)
        return self.deliveries.shutdown(timeout)

    def _mind_exit(self) -> None:
        """See to it that streams are ended at the process's end, as deliveries drain.

        The delivery room knows every way in which processes end. It is not loaded
        before something is delivered; until then the ordinary way has to do.
        """
        from ..delivery import drain_at_exit

        drain_at_exit(self)

    def drain_at_exit(self) -> None:
        """End all streams and deliver what there is, as the process ends."""
        self.finalize_streams(everything=True)
        self.deliveries.drain_at_exit()

    @contextmanager
    def borrowed(
        self, config: LibrettoConfig, sink: Callable[[Any], None]
    ) -> Iterator[None]:
        """Record everyone for the length of a block, into ``sink``."""
        found = environment()
        kept = (self.everyone, self.sink, self._installed, self._base)
        around = (self._floor, self._top, self._environment)
        self._environment = found
        self._floor = {"api_key": "testing", "allow_unnamed_prompts": True}
        self._top = merge(self._top, config.given())
        self.everyone, self.sink = True, sink
        self._lay_base()
        try:
            yield
        finally:
            self.everyone, self.sink, self._installed, self._base = kept
            self._floor, self._top, self._environment = around


def _is_sampled(settings: Settings) -> bool:
    """Decide by the chain or chat, so that one is recorded whole or not at all."""
    rate = settings.sample_rate
    if rate >= 1:
        return True
    group = settings.chain_id or settings.chat_id
    if group is None:
        return random.random() < rate
    return zlib.crc32(group.encode()) < rate * 2**32


runtime = Runtime()


def _after_fork_in_child() -> None:
    runtime.deliveries.renew_lock()
    errors.reset()
    # A child of multiprocessing, or of billiard, which shares this, ends without
    # atexit's callbacks, but runs finalizers of its own. Those that it has now are
    # forgotten at its start, and after that this is called.
    util: Any = sys.modules.get("multiprocessing.util")
    if util is not None:
        util.register_after_fork(runtime, _mind_end_of_child)


def _mind_end_of_child(runtime: Runtime) -> None:
    from multiprocessing.util import Finalize

    Finalize(None, runtime.drain_at_exit, exitpriority=0)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
