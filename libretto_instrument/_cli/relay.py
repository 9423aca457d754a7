"""``libretto-instrument relay``: delivers what other processes write to a spool."""

import argparse
import functools
import importlib.util
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from attrs import define, evolve

from .._config.environment import ENDPOINT_ENV_VARS, endpoint_urls, find_url_fault
from .._delivery import LIBRETTO, HttpTransport, Message, Outcome, Transport
from .._delivery.endpoint import Endpoint, strip_credentials
from .._runtime.exporter_transport import ExporterTransport
from .._spool import Spool, inspect_spool, run_relay
from .._util.progress import Progress, live_progress
from .._util.units import parse_duration, parse_size
from .argtypes import non_negative_seconds, port_number
from .exporter_args import EXPORTER_SPEC_HELP, parse_exporters
from .spool import add_spool_option, get_spool_dir


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    add_spool_option(parser)
    add = parser.add_argument
    add(
        "--api-prefix",
        metavar="URL",
        help="send all events here, not where each was recorded for",
    )
    add(
        "--drain-timeout",
        metavar="SECONDS",
        type=non_negative_seconds,
        default=10.0,
        help="how long to go on after SIGTERM",
    )
    add("--max-size", metavar="SIZE", help="how much the spool may hold, such as 2GB")
    add("--max-age", metavar="AGE", help="for how long it keeps an event, such as 7d")
    add(
        "--exporter",
        dest="exporters",
        metavar="EXPORTER",
        action="append",
        default=[],
        help=f"deliver to this exporter, too: {EXPORTER_SPEC_HELP}; may be repeated",
    )
    add(
        "--metrics-port",
        type=port_number,
        help="serve Prometheus here; 0 takes a free one",
    )
    add("--metrics-host", default="127.0.0.1", help="address to serve Prometheus on")


def run(args: argparse.Namespace) -> int:
    """Deliver what a spool holds and what comes, until SIGTERM or SIGINT.

    Returns:
        0. What could not be delivered in time stays in the spool.

    Raises:
        ValueError: The spool, or an option, can't be used.
    """
    on_start = _find_metrics_server(args)
    destinations: dict[str, Transport] = {LIBRETTO: _EndpointTransport(args.api_prefix)}
    for exporter in parse_exporters(args.exporters):
        destinations[exporter.name] = ExporterTransport(exporter)
    spool = _open_or_create_spool(args)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    to = strip_credentials(args.api_prefix) if args.api_prefix else "Libretto"
    names = ", ".join([to, *(name for name in destinations if name != LIBRETTO)])
    path = spool.directory.path
    print(f"Relaying {path} to {names}", file=sys.stderr, flush=True)
    progress = _Progress(path, tuple(destinations), stop)
    with live_progress(progress.look, every=0.5):
        is_empty = run_relay(
            spool,
            destinations,
            stop,
            drain_timeout=args.drain_timeout,
            on_start=on_start,
        )
    if not is_empty:
        print(
            "Stopped; what is left stays in the spool. Run it again to deliver it.",
            file=sys.stderr,
        )
    return 0


def _find_metrics_server(args: argparse.Namespace) -> Callable[[Any], None] | None:
    if args.metrics_port is None:
        return None
    if importlib.util.find_spec("prometheus_client") is None:
        raise ValueError(
            "--metrics-port needs prometheus_client: "
            "pip install 'libretto-instrument[metrics]'"
        )
    from .prometheus import serve

    return functools.partial(serve, args.metrics_host, args.metrics_port)


def _open_or_create_spool(args: argparse.Namespace) -> Spool:
    directory = get_spool_dir(args)
    bounds: dict[str, int] = {}
    if args.max_size is not None:
        bounds["max_bytes"] = parse_size(args.max_size)
    if args.max_age is not None:
        bounds["max_age"] = parse_duration(args.max_age)
    spool = Spool(directory, **bounds)
    try:
        spool.directory.prepare()
    except OSError as exc:
        raise ValueError(
            f"{spool.directory.path} cannot be a spool ({exc}). Name a directory of "
            "this user's own: --spool DIR, or LIBRETTO_SPOOL_DIR."
        ) from exc
    return spool


class _EndpointTransport(HttpTransport):
    """Posts to the endpoint a message was recorded for, unless another is given."""

    def __init__(self, prefix: str | None) -> None:
        super().__init__(max_concurrency=32)
        self._is_override = prefix is not None
        self._endpoints = endpoint_urls()
        if prefix is not None:
            base = prefix.strip().rstrip("/")
            Endpoint.parse(base)
            if fault := find_url_fault(base):
                raise ValueError(f"--api-prefix {fault}.")
            self._endpoints = {
                kind: base + path for kind, (_, path) in ENDPOINT_ENV_VARS.items()
            }

    def send(
        self, messages: Sequence[Message], timeout: float | None = None
    ) -> Sequence[Outcome]:
        """Post each message once; see `HttpTransport`."""
        return super().send([self._address(each) for each in messages], timeout)

    def _address(self, message: Message) -> Message:
        if message.endpoint is not None and not self._is_override:
            return message
        return evolve(message, endpoint=self._endpoints.get(message.kind))


@define
class _Progress:
    """How far a relay is, as the spool shows it."""

    directory: Path
    destinations: tuple[str, ...]
    stop: threading.Event
    _most: int = 0

    def look(self) -> Progress:
        """Return what is pending of the most that ever was."""
        stats = inspect_spool(self.directory, default=self.destinations).stats
        pending = {} if stats is None else stats.pending_by_destination
        # The one furthest behind: to sum them up would count messages several times.
        left = max(pending.get(name, 0) for name in self.destinations)
        self._most = max(self._most, left) if left else 0
        what = "Emptying the spool" if self.stop.is_set() else "Relaying"
        return what, self._most - left, self._most
